/** What a `git push` does, as facts: its start only reads, the refs that it changes are judged. */
import type { Access, Effect, Facts } from '#core/facts.ts';
import type { RefChange } from './codec/git.ts';

/** Whether a command is the start of a push whose refs can be looked at. */
export const isPush = (argv: readonly (string | null)[], { analysis }: Facts): boolean =>
  analysis === 'complete' && /(^|\/)git-receive-pack$/.test(argv[0] ?? '');

/** The start of a push: the target tells which refs it has, and waits. */
export const pushStartFacts = (facts: Facts): Facts => ({
  ...facts,
  effects: ['session', 'file-read'],
  objects: facts.objects.map((object) => ({ ...object, access: 'read' })),
});

const access: Readonly<Record<RefChange['kind'], Access>> = {
  create: 'create',
  update: 'write',
  delete: 'drop',
};

/** The text and the facts of a push, from what `git-receive-pack` by itself would do. */
export function pushFacts(
  start: { readonly text: string; readonly facts: Facts },
  changes: readonly RefChange[],
): { readonly text: string; readonly facts: Facts } {
  const { facts } = start;
  const kinds = new Set(changes.map(({ kind }) => kind));
  const more: readonly Effect[] = [...kinds].filter((kind) => kind !== 'update');
  const lines = changes.map(({ kind, name, from, to }) =>
    kind === 'create' ? `create ${name} ${to}` : `${kind} ${name} ${from} ${to}`,
  );
  return {
    text: [start.text, ...lines].join('\n'),
    facts: {
      ...facts,
      // An update that drops history looks like every other one.
      effects: [...new Set([...facts.effects, ...more])],
      objects: [
        ...facts.objects,
        ...changes.map(({ kind, name }) => ({ kind: 'ref', name, access: access[kind] })),
      ],
      verbs: [...facts.verbs, 'GIT PUSH'],
      fingerprint: 'git push',
    },
  };
}
