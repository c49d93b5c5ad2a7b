import { readFileSync } from 'node:fs';
import { choosePorts, writeWhole } from '@syncline/infra';
import { places } from '../places.js';

/** Ports by what listens there; one per name for the whole life of the state folder, as long as nobody else takes it. */
export interface Ports {
  /** The ports of these names: the remembered ones where free, else new ones. */
  take<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>>;
}

/** Opens the remembered ports. */
export function openPorts(): Ports {
  let known = readPorts();
  // One at a time: two services that ask at once must not be given the same free port.
  let turn: Promise<unknown> = Promise.resolve();
  return {
    take(names) {
      const taken = turn.then(async () => {
        const others = new Set(
          Object.entries(known).flatMap(([name, port]) => (names.includes(name as never) ? [] : [port])),
        );
        for (;;) {
          const chosen = await choosePorts(names, known);
          const clash = names.filter((name) => others.has(chosen[name]));
          if (clash.length > 0) {
            // A port kept for another service, which may be down just now.
            known = Object.fromEntries(Object.entries(known).filter(([name]) => !clash.includes(name as never)));
            continue;
          }
          known = { ...known, ...chosen };
          writeWhole(places.ports, `${JSON.stringify(known, null, 2)}\n`);
          return chosen;
        }
      });
      turn = taken.catch(() => {});
      return taken;
    },
  };
}

function readPorts(): Record<string, number> {
  try {
    return JSON.parse(readFileSync(places.ports, 'utf8')) as Record<string, number>;
  } catch {
    return {};
  }
}
