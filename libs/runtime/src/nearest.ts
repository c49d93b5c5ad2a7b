/** The optimal string alignment distance (insert, delete, replace, swap neighbours), folded to lower case. */
function distance(left: string, right: string): number {
  const a = left.toLowerCase();
  const b = right.toLowerCase();
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    const above = rows[i - 1]!;
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The name a mistyped one most likely means: within a third of its length (at least 2 edits); null where none is near. */
export function nearest(name: string, names: readonly string[]): string | null {
  const limit = Math.max(2, Math.floor(name.length / 3));
  const ranked = names.map((n) => ({ n, d: distance(name, n) })).sort((x, y) => x.d - y.d);
  const best = ranked[0];
  return best && best.d <= limit && best.d < best.n.length ? best.n : null;
}

/** "did you mean ...?" or the list of what is allowed: the end of a message about a wrong name. */
export function suggestion(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  if (near !== null) return `did you mean "${near}"?`;
  return names.length === 0 ? 'none is defined' : `expected one of ${names.join(', ')}`;
}
