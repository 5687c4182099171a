/** Measures several ways side by side: every round runs each of them, in turning order, so that a noisy minute hits all alike. */
import { quiet } from './quiet.ts';
import { type Figures, median, medianFigures } from './figures.ts';

export type Ways<Name extends string> = Readonly<Record<Name, () => Promise<Figures>>>;

export interface Compared<Name extends string> {
  readonly rounds: Readonly<Record<Name, readonly Figures[]>>;
  /** Medians over the rounds. */
  readonly figures: Readonly<Record<Name, Figures>>;
  /** The median over the rounds of what `relate` makes of two ways of one round. */
  readonly compare: (
    subject: Name,
    baseline: Name,
    relate: (s: Figures, b: Figures) => number,
  ) => number;
}

export async function inRounds<Name extends string>(
  rounds: number,
  ways: Ways<Name>,
): Promise<Compared<Name>> {
  const names = Object.keys(ways) as Name[];
  const taken = Object.fromEntries(names.map((name): [Name, Figures[]] => [name, []])) as Record<
    Name,
    Figures[]
  >;
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? names : names.toReversed();
    for (const name of order) taken[name].push(await quiet.run(ways[name]));
  }
  const figures = Object.fromEntries(
    names.map((name) => [name, medianFigures(taken[name])]),
  ) as Record<Name, Figures>;
  return {
    rounds: taken,
    figures,
    compare: (subject, baseline, relate) =>
      median(
        taken[subject].flatMap((figure, round) => pairOf(figure, taken[baseline][round], relate)),
      ),
  };
}

function pairOf(
  subject: Figures,
  baseline: Figures | undefined,
  relate: (s: Figures, b: Figures) => number,
): readonly number[] {
  return baseline === undefined ? [] : [relate(subject, baseline)];
}
