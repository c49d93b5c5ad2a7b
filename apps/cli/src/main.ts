import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { declareReplays } from './commands/replay-line.js';
import { Failure } from './failure.js';
import { operatingCommands } from './operate/commands.js';

/**
 * Runs the command line and sets the exit code: 0 fine, 1 something is wrong, 2 wrong usage. Commands are loaded when they
 * are used, so that `status` does not wait for what only `up` needs.
 */
export async function run(args: readonly string[]): Promise<void> {
  try {
    await program().parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
    } else if (error instanceof Failure) {
      console.error(error.message);
      process.exitCode = error.exitCode;
    } else {
      console.error(explained(error));
      process.exitCode = 1;
    }
  }
}

function program(): Command {
  const root = new Command('syncline')
    .description('Keeps business records the same in every system that holds them')
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)');
  const command = (usage: string, description: string): Command =>
    root.command(usage).description(description).option('--json', 'print JSON only');
  const done = (code: number): void => {
    process.exitCode = code;
  };

  command('up', 'start everything and keep it running ("npm start")')
    .option('--config <file>', 'the configuration (default: syncline.yaml)')
    .option('--sandbox', 'start the sandbox shop and carrier (default with syncline.yaml)')
    .option('--no-sandbox', 'do not start it: the configuration names real accounts')
    .option('--fresh', 'throw the local data of earlier starts away', false)
    .option('--detach', 'return when everything is ready; "npm stop" ends it', false)
    .addOption(
      new Option('--stop-with-stdin', 'end when standard input ends: for programs that start this one').hideHelp(),
    )
    .action(async (options) => done(await (await import('./commands/up.js')).upCommand(options)));
  command('down', 'stop what "up" started ("npm stop")').action(async (options) =>
    done(await (await import('./commands/down.js')).downCommand(options)),
  );
  command('status', 'what every connection, target and consumer is doing').action(async (options) =>
    done(await (await import('./commands/status.js')).statusCommand(options)),
  );
  command('record <ref>', "a record's story; ref: order name, external id, tracking number or canonical id").action(
    async (ref, options) => done(await (await import('./commands/record.js')).recordCommand(ref, options)),
  );
  command('check', "check the configuration and every connection's credentials")
    .option('--config <file>', 'the configuration (default: of the running system, else syncline.yaml)')
    .action(async (options) => done(await (await import('./commands/check.js')).checkCommand(options)));
  command('connect <connection>', 'give a connection access to its account, in a browser (OAuth 2)')
    .option('--config <file>', 'the configuration (default: of the running system, else syncline.yaml)')
    .option('--port <port>', 'local port the browser comes back to, where the provider wants it fixed', wholeNumber, 0)
    .action(async (connection, options) =>
      done(await (await import('./commands/connect.js')).connectCommand(connection, options)),
    );
  command(
    'map <connection> <kind> <file>',
    "the canonical record a provider's payload maps to; file: JSON, - for stdin",
  )
    .option('--config <file>', 'the configuration (default: syncline.yaml)')
    .action(async (connection, kind, file, options) =>
      done(await (await import('./commands/map.js')).mapCommand(connection, kind, file, options)),
    );
  command('logs <service>', 'the log of a service, of kafka, postgres, sandbox or supervisor')
    .option('-f, --follow', 'go on until Ctrl-C', false)
    .option('-n, --lines <count>', 'how many lines back', wholeNumber, 200)
    .action(async (service, options) => done(await (await import('./commands/logs.js')).logsCommand(service, options)));
  operatingCommands(command, done);
  command(
    'drift [connection]',
    "how the providers' messages changed: fields that came, went or have another type",
  ).action(async (connection, options) =>
    done(await (await import('./commands/drift.js')).driftCommand(connection, options)),
  );
  command('migrate', 'make topics and tables, or bring them up to date')
    .option('--config <file>', 'the configuration (default: SYNCLINE_CONFIG, of the running system, or syncline.yaml)')
    .action(async (options) => done(await (await import('./commands/migrate.js')).migrateCommand(options)));
  declareReplays(root, command, done);
  return root;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is expected');
  return Number(text);
}

/** What went wrong, without a stack unless it is a mistake of ours. */
function explained(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isOurs = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
  return isOurs || process.env.SYNCLINE_DEBUG ? (error.stack ?? error.message) : error.message;
}
