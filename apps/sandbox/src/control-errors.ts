/** A control request that names something that is not there. */
export class NotFound extends Error {}
