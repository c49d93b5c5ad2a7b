import { type Command, InvalidArgumentError } from 'commander';

type Declare = (usage: string, description: string) => Command;

/** Declares `replay` and `backfill`. What they do is loaded when they are used. */
export function declareReplays(root: Command, command: Declare, done: (code: number) => void): void {
  const replay = root.command('replay').description('do again what was given up, or what was mapped before');
  const under: Declare = (usage, description) =>
    replay.command(usage).description(description).option('--json', 'print JSON only');
  under('dead', 'deliveries and messages that were given up, by cause; with a selection they are tried once more')
    .option('--target <at>', 'only this target; "transformer" for messages that could not be mapped')
    .option('--cause <kind>', 'replay those that failed so: rejected, unmappable, defect, ...')
    .option('--id <record>', 'replay one: a record as `record` takes it, or topic/partition/offset')
    .option('--all', 'replay all of them')
    .option('--list', 'only list what the selection fits')
    .action(async (options) => done(await (await import('./replay-dead.js')).replayDeadCommand(options)));
  under('record <ref>', "publish a record's newest state once more; no effect where a target has it").action(
    async (ref, options) => done(await (await import('./replay-record.js')).replayRecordCommand(ref, options)),
  );
  under('raw <connection> <kind>', 'map raw messages again with the present mappings; kind: a kind or a noun')
    .option('--from-offset <n>', 'begin at this offset of every partition', wholeNumber)
    .option('--since <time>', 'begin at a time: an instant, or a span back from now such as 90m')
    .option('--dry-run', 'show which canonical fields would change for how many records, write nothing')
    .option('--yes', 'do not ask')
    .action(async (connection, kind, options) =>
      done(await (await import('./replay-raw.js')).replayRawCommand(connection, kind, options)),
    );
  command(
    'backfill [connection] [kind]',
    'read objects from the provider again, below live traffic; goes on after a crash',
  )
    .option('--since <time>', "changed since: an instant or a span back from now (default: the connection's `since`)")
    .option('--until <time>', 'changed until (default: now)')
    .option('--ids <list>', 'these external ids instead, comma separated')
    .option('--dry-run', 'count what there is, publish nothing')
    .option('--status', 'show backfills with rate and time left')
    .option('--cancel', 'end the one under way')
    .option('--no-wait', 'do not follow it: it goes on in the ingestor either way')
    .action(async (connection, kind, options) =>
      done(await (await import('./backfill.js')).backfillCommand(connection, kind, options)),
    );
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is expected');
  return Number(text);
}
