/**
 * What is known of the API's resources: the reviewed table of every group that ships with
 * Kubernetes. What has no row may be anything; an operator may act on it in any way.
 */

/** How a change of such an object acts. */
export type ResourceClass =
  /** Holds settings of its namespace, and nothing acts on it but who reads it. */
  | 'plain'
  /** Runs containers, now or later, by a pod template. */
  | 'workload'
  /** Holds credentials. */
  | 'secret'
  /** Decides where traffic goes. */
  | 'traffic'
  /** Says who may do what, or makes credentials. */
  | 'identity'
  /** Asks whether something would be allowed. */
  | 'question'
  /** Belongs to the cluster, or changes how the cluster works. */
  | 'cluster'
  /** Scales or bounds workloads. */
  | 'scaling';

const table: readonly (readonly [string, ResourceClass, string])[] = [
  ['', 'plain', 'configmaps events persistentvolumeclaims'],
  ['', 'workload', 'pods podtemplates replicationcontrollers'],
  ['', 'secret', 'secrets'],
  ['', 'traffic', 'endpoints services'],
  ['', 'identity', 'serviceaccounts'],
  ['', 'scaling', 'limitranges resourcequotas'],
  ['', 'cluster', 'bindings componentstatuses namespaces nodes persistentvolumes'],
  ['apps', 'workload', 'daemonsets deployments replicasets statefulsets'],
  ['apps', 'workload', 'controllerrevisions'],
  ['batch', 'workload', 'cronjobs jobs'],
  ['autoscaling', 'scaling', 'horizontalpodautoscalers'],
  ['policy', 'scaling', 'poddisruptionbudgets'],
  ['policy', 'cluster', 'podsecuritypolicies'],
  ['events.k8s.io', 'plain', 'events'],
  ['coordination.k8s.io', 'plain', 'leases'],
  ['extensions', 'traffic', 'ingresses'],
  ['networking.k8s.io', 'traffic', 'ingresses networkpolicies'],
  ['networking.k8s.io', 'cluster', 'ingressclasses ipaddresses servicecidrs'],
  ['discovery.k8s.io', 'traffic', 'endpointslices'],
  ['metrics.k8s.io', 'plain', 'nodes pods'],
  ['rbac.authorization.k8s.io', 'identity', 'clusterrolebindings clusterroles'],
  ['rbac.authorization.k8s.io', 'identity', 'rolebindings roles'],
  ['certificates.k8s.io', 'identity', 'certificatesigningrequests clustertrustbundles'],
  ['authentication.k8s.io', 'question', 'selfsubjectreviews tokenreviews'],
  ['authorization.k8s.io', 'question', 'localsubjectaccessreviews selfsubjectaccessreviews'],
  ['authorization.k8s.io', 'question', 'selfsubjectrulesreviews subjectaccessreviews'],
  ['storage.k8s.io', 'cluster', 'csidrivers csinodes csistoragecapacities storageclasses'],
  ['storage.k8s.io', 'cluster', 'volumeattachments volumeattributesclasses'],
  ['admissionregistration.k8s.io', 'cluster', 'mutatingwebhookconfigurations'],
  ['admissionregistration.k8s.io', 'cluster', 'validatingwebhookconfigurations'],
  ['admissionregistration.k8s.io', 'cluster', 'validatingadmissionpolicies'],
  ['admissionregistration.k8s.io', 'cluster', 'validatingadmissionpolicybindings'],
  ['admissionregistration.k8s.io', 'cluster', 'mutatingadmissionpolicies'],
  ['admissionregistration.k8s.io', 'cluster', 'mutatingadmissionpolicybindings'],
  ['apiextensions.k8s.io', 'cluster', 'customresourcedefinitions'],
  ['apiregistration.k8s.io', 'cluster', 'apiservices'],
  ['flowcontrol.apiserver.k8s.io', 'cluster', 'flowschemas prioritylevelconfigurations'],
  ['node.k8s.io', 'cluster', 'runtimeclasses'],
  ['scheduling.k8s.io', 'cluster', 'priorityclasses'],
  ['resource.k8s.io', 'cluster', 'deviceclasses resourceslices'],
  ['resource.k8s.io', 'plain', 'resourceclaims resourceclaimtemplates'],
];

const classes: ReadonlyMap<string, ResourceClass> = new Map(
  table.flatMap(([group, kind, names]) =>
    names.split(' ').map((name) => [resourceName(group, name), kind] as const),
  ),
);

/** As RBAC and kubectl write it: `pods`, `deployments.apps`. */
export function resourceName(group: string, resource: string): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** What is known of a resource; undefined for one that has no row. */
export function resourceClass(group: string, resource: string): ResourceClass | undefined {
  return classes.get(resourceName(group, resource));
}

/** Where a kind keeps the pods that it makes: the path to a PodSpec. */
const podSpecs: ReadonlyMap<string, readonly string[]> = new Map([
  ['pods', ['spec']],
  ['podtemplates', ['template', 'spec']],
  ['cronjobs.batch', ['spec', 'jobTemplate', 'spec', 'template', 'spec']],
]);

/** The path to the PodSpec in objects of a workload's kind. */
export function podSpecPath(group: string, resource: string): readonly string[] {
  return podSpecs.get(resourceName(group, resource)) ?? ['spec', 'template', 'spec'];
}
