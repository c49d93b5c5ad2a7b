import { copyFileSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const bytesMax = 16 * 1024 * 1024;

/**
 * Keeps every log of a folder below `bytesMax`, with one older part beside it (`name.log.1`). The file is copied and cut
 * in place, for the services hold it open in append mode; what they write in that moment is lost.
 */
export function rotateLogs(folder: string, sizeMax = bytesMax): string[] {
  return readdirSync(folder).filter((name) => {
    const path = join(folder, name);
    if (!name.endsWith('.log') || statSync(path).size <= sizeMax) return false;
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
    return true;
  });
}
