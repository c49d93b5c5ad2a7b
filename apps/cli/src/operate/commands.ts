import { type Command, InvalidArgumentError, Option } from 'commander';

/** Declares what operators ask a running system and order it to do. */
export function operatingCommands(
  command: (usage: string, description: string) => Command,
  done: (code: number) => void,
): void {
  for (const verb of ['pause', 'resume'] as const)
    command(
      `${verb} <connection>`,
      verb === 'pause'
        ? 'stop reading from a connection and writing to it; its webhooks are still taken'
        : 'let a paused connection go on',
    )
      .addOption(new Option('--only <side>', 'one of the two things it is').choices(['source', 'target']))
      .action(async (connection, options) =>
        done(await (await import('../commands/pause.js')).pauseCommand(connection, options, verb === 'pause')),
      );
  command('connections', 'every connection: how it is, how far it was read, whether it is paused').action(
    async (options) => done(await (await import('../commands/connections.js')).connectionsCommand(options)),
  );
  command('deliveries [target]', 'what is not delivered yet, and what was given up')
    .addOption(new Option('--state <state>', 'only those that are so').choices(['pending', 'waiting', 'dead']))
    .option('-n, --limit <count>', 'how many at most', count, 50)
    .action(async (target, options) =>
      done(await (await import('../commands/deliveries.js')).deliveriesCommand(target, options)),
    );
  command('why <record> <target>', 'one sentence: why a record is not where it should be').action(
    async (record, target, options) =>
      done(await (await import('../commands/why.js')).whyCommand(record, target, options)),
  );
  command('conflicts [record]', 'edits that met, what was decided and why; fields a target does not keep')
    .option('-n, --limit <count>', 'how many at most', count, 50)
    .action(async (record, options) =>
      done(await (await import('../commands/conflicts.js')).conflictsCommand(record, options)),
    );
}

function count(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('a whole number from 1 on is expected');
  return Number(text);
}
