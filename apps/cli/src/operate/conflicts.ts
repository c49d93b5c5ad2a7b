import { z } from 'zod';

const text = z.string();
const value = z.unknown();
const about = { id: text, kind: text, name: text.nullable(), field: text, at: text };

/** What the transformer tells of decided conflicts and of fields that targets keep in a form of their own. */
export const decisions = z.object({
  conflicts: z.array(
    z.object({
      ...about,
      winner: text,
      winnerAt: z.number(),
      loser: text,
      loserAt: z.number(),
      why: z.enum(['owner', 'newer', 'tie']),
      values: z.object({ won: value, lost: value }).nullable(),
    }),
  ),
  unstable: z.array(
    z.object({
      ...about,
      connection: text,
      noun: text,
      times: z.number(),
      values: z.object({ sent: value, kept: value }).nullable(),
    }),
  ),
});
export type Decisions = z.infer<typeof decisions>;

/** The decisions for people, one a line, newest first. */
export function decisionLines({ conflicts, unstable }: Decisions): string[] {
  const said = (v: unknown): string => JSON.stringify(v);
  return [
    ...(conflicts.length > 0 ? ['Decided conflicts'] : []),
    ...conflicts.map((c) => {
      const won = c.values ? `${c.winner}'s ${said(c.values.won)}` : c.winner;
      const lost = c.values ? `${c.loser}'s ${said(c.values.lost)}` : `${c.loser}'s`;
      const why = {
        owner: `${c.winner} owns the field`,
        newer: `it was edited ${newer(c.winnerAt - c.loserAt)} later`,
        tie: 'both were edited in the same moment, and it was heard of later',
      }[c.why];
      return `  ${c.at}  ${c.kind} ${c.name ?? c.id}  ${c.field}: ${won} stands, not ${lost}: ${why}`;
    }),
    ...(unstable.length > 0 ? ['Fields a target does not keep as they were sent'] : []),
    ...unstable.map((u) => {
      const forms = u.values
        ? `was sent ${said(u.values.sent)} and keeps ${said(u.values.kept)}`
        : 'keeps another form';
      return `  ${u.at}  ${u.kind} ${u.name ?? u.id}  ${u.field}: ${u.noun} of ${u.connection} ${forms} (${u.times}×)`;
    }),
    ...(conflicts.some((c) => !c.values) || unstable.some((u) => !u.values)
      ? ['Values of fields that may hold personal data are not kept.']
      : []),
  ];
}

const newer = (ms: number): string => (ms < 1_000 ? `${ms} ms` : `${Math.round(ms / 1_000)} s`);
