"""The fields of Kubernetes' kinds that run here, as its API (v1.34) has them: what strict validation knows. Pure data.

A type is a line of fields. `name` holds a value that is not looked into, `name:Type` an object and `name:Type[]` a list
of them.
"""

from __future__ import annotations

_POD = "metadata:ObjectMeta spec:PodSpec"
_TYPES = {
    "ObjectMeta": "name generateName namespace selfLink uid resourceVersion generation creationTimestamp "
    "deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields",
    "LabelSelector": "matchLabels matchExpressions:LabelSelectorRequirement[]",
    "LabelSelectorRequirement": "key operator values",
    "ConfigMap": "data binaryData immutable",
    "Secret": "data stringData type immutable",
    "Namespace": "spec:NamespaceSpec status",
    "NamespaceSpec": "finalizers",
    "ServiceAccount": "secrets imagePullSecrets automountServiceAccountToken",
    "Service": "spec:ServiceSpec status",
    "ServiceSpec": "ports:ServicePort[] selector clusterIP clusterIPs type externalIPs sessionAffinity loadBalancerIP "
    "loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses "
    "sessionAffinityConfig ipFamilies ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass "
    "internalTrafficPolicy trafficDistribution",
    "ServicePort": "name protocol appProtocol port targetPort nodePort",
    "Deployment": "spec:DeploymentSpec status",
    "DeploymentSpec": "replicas selector:LabelSelector template:PodTemplateSpec strategy:DeploymentStrategy "
    "minReadySeconds revisionHistoryLimit paused progressDeadlineSeconds",
    "DeploymentStrategy": "type rollingUpdate:RollingUpdate",
    "RollingUpdate": "maxUnavailable maxSurge",
    "ReplicaSet": "spec:ReplicaSetSpec status",
    "ReplicaSetSpec": "replicas minReadySeconds selector:LabelSelector template:PodTemplateSpec",
    "Pod": "spec:PodSpec status",
    "PodTemplateSpec": _POD,
    "PodSpec": "volumes:Volume[] initContainers:Container[] containers:Container[] ephemeralContainers restartPolicy "
    "terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName serviceAccount "
    "automountServiceAccountToken nodeName hostNetwork hostPID hostIPC shareProcessNamespace "
    "securityContext:PodSecurityContext imagePullSecrets:LocalObjectReference[] hostname subdomain "
    "affinity:Affinity schedulerName tolerations:Toleration[] hostAliases:HostAlias[] priorityClassName priority "
    "dnsConfig:PodDNSConfig readinessGates runtimeClassName enableServiceLinks preemptionPolicy overhead "
    "topologySpreadConstraints:TopologySpreadConstraint[] setHostnameAsFQDN os:PodOS hostUsers schedulingGates "
    "resourceClaims resources:ResourceRequirements hostnameOverride workloadRef schedulingGroup",
    "LocalObjectReference": "name",
    "Affinity": "nodeAffinity podAffinity podAntiAffinity",
    "Toleration": "key operator value effect tolerationSeconds",
    "HostAlias": "ip hostnames",
    "PodDNSConfig": "nameservers searches options",
    "PodOS": "name",
    "TopologySpreadConstraint": "maxSkew topologyKey whenUnsatisfiable labelSelector:LabelSelector minDomains "
    "nodeAffinityPolicy nodeTaintsPolicy matchLabelKeys",
    "PodSecurityContext": "seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups "
    "supplementalGroupsPolicy fsGroup sysctls fsGroupChangePolicy seccompProfile appArmorProfile seLinuxChangePolicy",
    "Container": "name image command args workingDir ports:ContainerPort[] envFrom:EnvFromSource[] env:EnvVar[] "
    "resources:ResourceRequirements resizePolicy restartPolicy restartPolicyRules volumeMounts:VolumeMount[] "
    "volumeDevices livenessProbe:Probe readinessProbe:Probe startupProbe:Probe lifecycle:Lifecycle "
    "terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext:SecurityContext stdin stdinOnce "
    "tty",
    "ContainerPort": "name hostPort containerPort protocol hostIP",
    "EnvFromSource": "prefix configMapRef:OptionalReference secretRef:OptionalReference",
    "OptionalReference": "name optional",
    "EnvVar": "name value valueFrom:EnvVarSource",
    "EnvVarSource": "fieldRef:FieldSelector resourceFieldRef:ResourceFieldSelector configMapKeyRef:KeySelector "
    "secretKeyRef:KeySelector fileKeyRef",
    "FieldSelector": "apiVersion fieldPath",
    "ResourceFieldSelector": "containerName resource divisor",
    "KeySelector": "name key optional",
    "ResourceRequirements": "limits requests claims",
    "VolumeMount": "name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr",
    "Probe": "exec:ExecAction httpGet:HTTPGetAction tcpSocket:TCPSocketAction grpc:GRPCAction initialDelaySeconds "
    "timeoutSeconds periodSeconds successThreshold failureThreshold terminationGracePeriodSeconds",
    "ExecAction": "command",
    "HTTPGetAction": "path port host scheme httpHeaders:HTTPHeader[]",
    "HTTPHeader": "name value",
    "TCPSocketAction": "port host",
    "GRPCAction": "port service",
    "Lifecycle": "postStart:LifecycleHandler preStop:LifecycleHandler stopSignal",
    "LifecycleHandler": "exec:ExecAction httpGet:HTTPGetAction tcpSocket:TCPSocketAction sleep:SleepAction",
    "SleepAction": "seconds",
    "SecurityContext": "capabilities:Capabilities privileged seLinuxOptions windowsOptions runAsUser runAsGroup "
    "runAsNonRoot readOnlyRootFilesystem allowPrivilegeEscalation procMount seccompProfile appArmorProfile",
    "Capabilities": "add drop",
    "Volume": "name hostPath:HostPathVolume emptyDir:EmptyDirVolume gcePersistentDisk awsElasticBlockStore gitRepo "
    "secret:SecretVolume nfs iscsi glusterfs persistentVolumeClaim:ClaimVolume rbd flexVolume cinder cephfs flocker "
    "downwardAPI fc azureFile configMap:ConfigMapVolume vsphereVolume quobyte azureDisk photonPersistentDisk projected "
    "portworxVolume scaleIO storageos csi ephemeral image:ImageVolume",
    "HostPathVolume": "path type",
    "EmptyDirVolume": "medium sizeLimit",
    "SecretVolume": "secretName items:KeyToPath[] defaultMode optional",
    "ConfigMapVolume": "name items:KeyToPath[] defaultMode optional",
    "KeyToPath": "key path mode",
    "ClaimVolume": "claimName readOnly",
    "ImageVolume": "reference pullPolicy",
}
Field = tuple[str, bool]
"""What a field holds: a type's name, empty for what is not looked into, and whether it is a list of them."""


def _parsed(line: str) -> dict[str, Field]:
    parts = (part.partition(":") for part in line.split())
    return {name: (kind.removesuffix("[]"), kind.endswith("[]")) for name, _, kind in parts}


TYPES: dict[str, dict[str, Field]] = {name: _parsed(line) for name, line in _TYPES.items()}
ROOTS = {
    ("", "v1"): ("ConfigMap", "Secret", "Namespace", "ServiceAccount", "Service", "Pod"),
    ("apps", "v1"): ("Deployment", "ReplicaSet"),
}
"""The kinds that are checked, by group and version."""
