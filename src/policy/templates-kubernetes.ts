/** Templates for Kubernetes: over the resources that a request names. */
import { listOf } from './inputs.ts';
import { anyEffect, type Template } from './template.ts';

const intoContainers: Template = {
  doc:
    'Reaches into a container or through the API server: exec, attach, port-forward, proxy. The ' +
    'method does not count: a GET that changes protocols runs the same code.',
  when:
    "facts.objects.exists(o, o.access == 'execute' && " +
    'parameters.subresources.exists(s, o.kind.endsWith(s)))',
  reason: 'reaches into a container',
  parameters: {
    subresources: {
      type: listOf({ kind: 'string' }),
      default: ['/exec', '/attach', '/portforward', '/proxy'],
      doc: 'ends of resource names that count',
    },
  },
  cases: [
    {
      name: 'kubectl exec',
      facts: {
        effects: ['execute-code'],
        objects: [{ kind: 'pods/exec', name: 'app/web', access: 'execute' }],
      },
      matches: true,
    },
    {
      name: 'the proxy of a node',
      facts: {
        effects: ['execute-code', 'network', 'admin'],
        objects: [{ kind: 'nodes/proxy', name: 'n1', access: 'execute' }],
      },
      matches: true,
    },
    {
      name: 'a list of pods',
      facts: { effects: ['read'], objects: [{ kind: 'pods', name: 'app/*', access: 'read' }] },
      matches: false,
    },
    {
      name: 'exec alone, by parameter',
      facts: { objects: [{ kind: 'pods/portforward', name: 'app/web', access: 'execute' }] },
      parameters: { subresources: ['/exec'] },
      matches: false,
    },
  ],
};

const removal: Template = anyEffect(
  ['delete', 'delete-all', 'drop', 'truncate'],
  {
    doc:
      'Removes objects or stops all replicas, however it is asked for: delete, eviction, no ' +
      'replicas, no finalizers, an owner that takes it along.',
    reason: 'removes objects or stops them',
    parameter: 'effects that count as removing',
  },
  [
    { name: 'kubectl delete pod', facts: { effects: ['delete'] }, matches: true },
    {
      name: 'kubectl scale --replicas=0',
      facts: { effects: ['update', 'delete-all'] },
      matches: true,
    },
    { name: 'kubectl label', facts: { effects: ['update'] }, matches: false },
    {
      name: 'whole collections alone, by parameter',
      facts: { effects: ['delete'] },
      parameters: { effects: ['delete-all', 'drop'] },
      matches: false,
    },
  ],
);

const secretUse: Template = {
  doc: 'Reads, changes or mounts Secrets, other than by getting them masked.',
  when:
    "facts.objects.exists(o, o.kind == 'secrets' && " +
    "(o.access != 'read' || 'container-start' in facts.effects)) || " +
    "facts.columns.exists(c, c.name.startsWith('core.secrets.') && !c.masked)",
  reason: 'uses Secrets',
  parameters: {},
  cases: [
    {
      name: 'a Secret that comes back masked',
      facts: {
        effects: ['read'],
        objects: [{ kind: 'secrets', name: 'app/db', access: 'read' }],
        columns: [{ name: 'core.secrets.data', use: 'return', masked: true }],
      },
      matches: false,
    },
    {
      name: 'a Secret that no mask covers',
      facts: {
        effects: ['read'],
        objects: [{ kind: 'secrets', name: 'app/db', access: 'read' }],
        columns: [{ name: 'core.secrets.data', use: 'return', masked: false }],
      },
      matches: true,
    },
    {
      name: 'a pod that mounts one',
      facts: {
        effects: ['create', 'container-start'],
        objects: [
          { kind: 'pods', name: 'app/reader', access: 'create' },
          { kind: 'secrets', name: 'app/db', access: 'read' },
        ],
      },
      matches: true,
    },
    {
      name: 'a change of one',
      facts: {
        effects: ['update'],
        objects: [{ kind: 'secrets', name: 'app/db', access: 'write' }],
      },
      matches: true,
    },
  ],
};

/** By name. */
export const kubernetesTemplates: readonly (readonly [string, Template])[] = [
  ['into-containers', intoContainers],
  ['removal', removal],
  ['secret-use', secretUse],
];
