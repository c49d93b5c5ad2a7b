/** A failure that its message explains to the user: printed without a stack, exit code 1 unless another is given. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly exitCode: 1 | 2 = 1,
  ) {
    super(message);
  }
}
