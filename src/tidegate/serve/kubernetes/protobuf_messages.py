"""The protobuf messages that kubectl's subcommands send, by the numbers of Kubernetes' generated.proto files. Data.

`NUMBER NAME TYPE;…`, where TYPE is text, flag, integer, bytes, time, either (a number or a text), quantity or another
message; `[TYPE]` is a list, `{TYPE}` a map by text, `!` keeps a zero, the name `.` puts a message's fields in place.
"""

from __future__ import annotations

_SPEC_ONLY = "1 metadata ObjectMeta;2 spec {kind}Spec"
_WITH_SPEC = (
    "Namespace", "Service", "Deployment", "Job", "CronJob", "Ingress", "PodDisruptionBudget", "ResourceQuota",
    "SelfSubjectAccessReview", "SelfSubjectRulesReview", "Pod", "Scale",
)  # fmt: skip

MESSAGES: dict[str, str] = {
    **{kind: _SPEC_ONLY.format(kind=kind) for kind in _WITH_SPEC},
    "ObjectMeta": (
        "1 name text;2 generateName text;3 namespace text;5 uid text;6 resourceVersion text;7 generation integer;"
        "8 creationTimestamp time;11 labels {text};12 annotations {text};13 ownerReferences [OwnerReference];"
        "14 finalizers [text]"
    ),
    "OwnerReference": (
        "1 kind text;3 name text;4 uid text;5 apiVersion text;6 controller flag!;7 blockOwnerDeletion flag!"
    ),
    "LabelSelector": "1 matchLabels {text};2 matchExpressions [LabelSelectorRequirement]",
    "LabelSelectorRequirement": "1 key text;2 operator text;3 values [text]",
    "DeleteOptions": (
        "1 gracePeriodSeconds integer!;2 preconditions Preconditions;3 orphanDependents flag!;4 propagationPolicy text;"
        "5 dryRun [text]"
    ),
    "Preconditions": "1 uid text;2 resourceVersion text",
    "NamespaceSpec": "1 finalizers [text]",
    "Secret": "1 metadata ObjectMeta;2 data {bytes};3 type text;4 stringData {text};5 immutable flag!",
    "ConfigMap": "1 metadata ObjectMeta;2 data {text};3 binaryData {bytes};4 immutable flag!",
    "ServiceAccount": (
        "1 metadata ObjectMeta;3 imagePullSecrets [LocalObjectReference];4 automountServiceAccountToken flag!"
    ),
    "LocalObjectReference": "1 name text",
    "ServiceSpec": (
        "1 ports [ServicePort];2 selector {text};3 clusterIP text;4 type text;5 externalIPs [text];"
        "7 sessionAffinity text;8 loadBalancerIP text;10 externalName text;18 clusterIPs [text]"
    ),
    "ServicePort": (
        "1 name text;2 protocol text;3 port integer;4 targetPort either;5 nodePort integer;6 appProtocol text"
    ),
    "DeploymentSpec": (
        "1 replicas integer!;2 selector LabelSelector;3 template PodTemplateSpec;4 strategy DeploymentStrategy;"
        "5 minReadySeconds integer;6 revisionHistoryLimit integer!;7 paused flag;9 progressDeadlineSeconds integer!"
    ),
    "DeploymentStrategy": "1 type text;2 rollingUpdate RollingUpdateDeployment",
    "RollingUpdateDeployment": "1 maxUnavailable either!;2 maxSurge either!",
    "PodTemplateSpec": "1 metadata ObjectMeta;2 spec PodSpec",
    "PodSpec": (
        "2 containers [Container];3 restartPolicy text;4 terminationGracePeriodSeconds integer!;6 dnsPolicy text;"
        "7 nodeSelector {text};8 serviceAccountName text;10 nodeName text;11 hostNetwork flag;"
        "15 imagePullSecrets [LocalObjectReference];20 initContainers [Container];24 priorityClassName text"
    ),
    "Container": (
        "1 name text;2 image text;3 command [text];4 args [text];5 workingDir text;6 ports [ContainerPort];"
        "7 env [EnvVar];8 resources ResourceRequirements;14 imagePullPolicy text;16 stdin flag;17 stdinOnce flag;"
        "18 tty flag"
    ),
    "ContainerPort": "1 name text;2 hostPort integer;3 containerPort integer;4 protocol text;5 hostIP text",
    "EnvVar": "1 name text;2 value text",
    "ResourceRequirements": "1 limits {quantity};2 requests {quantity}",
    "JobSpec": (
        "1 parallelism integer!;2 completions integer!;3 activeDeadlineSeconds integer!;4 selector LabelSelector;"
        "6 template PodTemplateSpec;7 backoffLimit integer!;8 ttlSecondsAfterFinished integer!;9 completionMode text;"
        "10 suspend flag!"
    ),
    "CronJobSpec": (
        "1 schedule text;2 startingDeadlineSeconds integer!;3 concurrencyPolicy text;4 suspend flag!;"
        "5 jobTemplate JobTemplateSpec;6 successfulJobsHistoryLimit integer!;7 failedJobsHistoryLimit integer!;"
        "8 timeZone text"
    ),
    "JobTemplateSpec": "1 metadata ObjectMeta;2 spec JobSpec",
    "Role": "1 metadata ObjectMeta;2 rules [PolicyRule]",
    "ClusterRole": "1 metadata ObjectMeta;2 rules [PolicyRule];3 aggregationRule AggregationRule",
    "AggregationRule": "1 clusterRoleSelectors [LabelSelector]",
    "RoleBinding": "1 metadata ObjectMeta;2 subjects [Subject];3 roleRef RoleRef",
    "ClusterRoleBinding": "1 metadata ObjectMeta;2 subjects [Subject];3 roleRef RoleRef",
    "PolicyRule": (
        "1 verbs [text];2 apiGroups [text];3 resources [text];4 resourceNames [text];5 nonResourceURLs [text]"
    ),
    "Subject": "1 kind text;2 apiGroup text;3 name text;4 namespace text",
    "RoleRef": "1 apiGroup text;2 kind text;3 name text",
    "IngressSpec": "1 defaultBackend IngressBackend;2 tls [IngressTLS];3 rules [IngressRule];4 ingressClassName text",
    "IngressTLS": "1 hosts [text];2 secretName text",
    "IngressRule": "1 host text;2 . IngressRuleValue",
    "IngressRuleValue": "1 http HTTPIngressRuleValue",
    "HTTPIngressRuleValue": "1 paths [HTTPIngressPath]",
    "HTTPIngressPath": "1 path text;2 backend IngressBackend;3 pathType text",
    "IngressBackend": "4 service IngressServiceBackend",
    "IngressServiceBackend": "1 name text;2 port ServiceBackendPort",
    "ServiceBackendPort": "1 name text;2 number integer",
    "PodDisruptionBudgetSpec": (
        "1 minAvailable either!;2 selector LabelSelector;3 maxUnavailable either!;4 unhealthyPodEvictionPolicy text"
    ),
    "ResourceQuotaSpec": "1 hard {quantity};2 scopes [text]",
    "PriorityClass": (
        "1 metadata ObjectMeta;2 value integer!;3 globalDefault flag;4 description text;5 preemptionPolicy text"
    ),
    "ScaleSpec": "1 replicas integer!",
    "SelfSubjectReview": "1 metadata ObjectMeta",
    "SelfSubjectAccessReviewSpec": (
        "1 resourceAttributes ResourceAttributes;2 nonResourceAttributes NonResourceAttributes"
    ),
    "ResourceAttributes": (
        "1 namespace text;2 verb text;3 group text;4 version text;5 resource text;6 subresource text;7 name text"
    ),
    "NonResourceAttributes": "1 path text;2 verb text",
    "SelfSubjectRulesReviewSpec": "1 namespace text",
}
