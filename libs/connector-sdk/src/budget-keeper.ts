import type { BudgetState } from './budget.js';

/** Keeps budgets, and runs turns with one of them one after the other, whatever process they come from. */
export interface BudgetKeeper {
  /**
   * Puts the state that `step` makes in the place of the one it was given (null: there is none yet), and returns its answer.
   * `nowMs` is the keeper's clock, one for all. May call `step` again where another process was faster. Throws where the
   * budget cannot be reached.
   */
  turn<T>(
    connection: string,
    step: (state: BudgetState | null, nowMs: number) => { state: BudgetState; answer: T },
  ): Promise<T>;
}

/** Budgets of this process alone: for commands and tests that open a connection beside the services. */
export function ownBudgets(clock: () => number = () => performance.now()): BudgetKeeper {
  const states = new Map<string, BudgetState>();
  return {
    turn: async (connection, step) => {
      const { state, answer } = step(states.get(connection) ?? null, clock());
      states.set(connection, state);
      return answer;
    },
  };
}

/** A keeper that takes longer counts as away. */
const answerMsMax = 2_000;

/** A turn whose answer comes in time; else it throws, and whether the turn was taken is unknown. */
export async function turnInTime<T>(
  keeper: BudgetKeeper,
  connection: string,
  step: (state: BudgetState | null, nowMs: number) => { state: BudgetState; answer: T },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the budget was not answered in time')), answerMsMax);
  });
  try {
    return await Promise.race([keeper.turn(connection, step), late]);
  } finally {
    clearTimeout(timer);
  }
}
