import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runToEnd } from './process.js';

const pom = fileURLToPath(new URL('../native/pom.xml', import.meta.url));
const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const downloadMsMax = 10 * 60_000;
const otherWays = 'or start Docker, or set KAFKA_BROKERS and DATABASE_URL to servers you already run.';
const remedy =
  'Install a JDK or JRE 17 or newer and Maven (Debian: apt install openjdk-17-jre-headless maven; macOS: brew install openjdk maven), ' +
  otherWays;

/** Finds a Java that can run the broker. Throws an error that says what to install. */
export async function findJava(): Promise<string> {
  const home = process.env.JAVA_HOME;
  const java = home ? join(home, 'bin', 'java') : 'java';
  let banner: string;
  try {
    banner = await runToEnd(java, ['-version'], { timeoutMs: 20_000 });
  } catch {
    throw new Error(
      `Kafka needs Java 17 or newer, and ${home ? `JAVA_HOME has none (${java})` : 'there is no java on the PATH'}. ${remedy}`,
    );
  }
  const major = javaMajor(banner);
  if (major === undefined || major < 17) {
    throw new Error(`Kafka needs Java 17 or newer, but ${java} is ${major ?? 'of an unknown version'}. ${remedy}`);
  }
  return java;
}

/** Major version out of what `java -version` prints: `version "17.0.15"`, or `"1.8.0_402"` for 8. */
export function javaMajor(banner: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(banner);
  return match ? Number(match[1]) : undefined;
}

/** The folder of this user in which downloads are kept between checkouts. */
export function cacheDir(): string {
  return process.env.SYNCLINE_CACHE || join(homedir(), '.cache', 'syncline');
}

/**
 * The folder with the broker's jars. Downloads them with Maven on first use: into a folder of this process that is renamed
 * when complete, so that an interrupted or a second download at the same time does no harm.
 */
export async function kafkaJars(onStep: (line: string) => void): Promise<string> {
  const wanted = readFileSync(pom, 'utf8');
  const version = /kafka_2\.13<\/artifactId>\s*<version>([^<]+)</.exec(wanted)?.[1];
  const target = join(cacheDir(), `kafka-${version}-${createHash('sha256').update(wanted).digest('hex').slice(0, 8)}`);
  if (isComplete(target)) return target;
  onStep(`Downloading Kafka ${version} with Maven (43 MB, once)`);
  mkdirSync(cacheDir(), { recursive: true });
  removeOldDrafts();
  const draft = join(cacheDir(), `draft-${randomUUID()}`);
  try {
    const args = ['-B', '-q', '-ntp', '-f', pom, copyGoal, '-DincludeScope=runtime', `-DoutputDirectory=${draft}`];
    await runToEnd('mvn', args, { timeoutMs: downloadMsMax, env: process.env, cwd: cacheDir() });
    const jars = readdirSync(draft);
    if (!jars.some((name) => name.startsWith('kafka_')))
      throw new Error(`Maven brought no Kafka, only ${jars.join(', ')}`);
    writeFileSync(join(draft, 'complete'), `${jars.length} jars\n`);
    moveIntoPlace(draft, target);
  } catch (error) {
    const reason = (error as Error).message;
    if (/ENOENT/.test(reason))
      throw new Error(`Kafka is downloaded with Maven, and there is no mvn on the PATH. ${remedy}`);
    throw new Error(
      `Kafka could not be downloaded from Maven Central: ${reason}\nCheck the network and Maven's settings, ${otherWays}`,
    );
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return target;
}

/** What killed downloads left; a running one is never this old. */
function removeOldDrafts(): void {
  for (const name of readdirSync(cacheDir()).filter((each) => each.startsWith('draft-'))) {
    const path = join(cacheDir(), name);
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - changedMs > 2 * downloadMsMax) rmSync(path, { recursive: true, force: true });
  }
}

function isComplete(dir: string): boolean {
  try {
    return readFileSync(join(dir, 'complete'), 'utf8') === `${readdirSync(dir).length - 1} jars\n`;
  } catch {
    return false;
  }
}

/** Renames; when another process was first its folder is kept, and a damaged one is moved out of the way. */
function moveIntoPlace(draft: string, target: string): void {
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      renameSync(draft, target);
      return;
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    if (isComplete(target)) return;
    const broken = join(cacheDir(), `draft-${randomUUID()}`);
    renameSync(target, broken);
    rmSync(broken, { recursive: true, force: true });
  }
  throw new Error(`${target} cannot be replaced: remove it`);
}
