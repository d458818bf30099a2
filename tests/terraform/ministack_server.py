"""ministack with the few fields that the AWS provider writes and ministack 1.5 does not hand back. Address and port: its environment."""

import json

from ministack import app
from ministack.services import elasticache, rds, secretsmanager

# --- ElastiCache: the key, and minor upgrades

new_group, group_xml, cluster_xml = elasticache._create_replication_group, elasticache._rg_xml, elasticache._cluster_xml_inner


def create_group(request):
    answer = new_group(request)
    group = elasticache._replication_groups.get(elasticache._p(request, "ReplicationGroupId"))
    if group is not None:
        group["KmsKeyId"] = elasticache._p(request, "KmsKeyId")
        group["AutoMinorVersionUpgrade"] = elasticache._p(request, "AutoMinorVersionUpgrade", "true").lower() == "true"
    return answer


def with_key(group):
    key = group.get("KmsKeyId")
    return group_xml(group) + (f"<KmsKeyId>{key}</KmsKeyId>" if key else "")


def with_upgrades(cluster):
    # The provider reads this one from the group's first node.
    return cluster_xml(cluster) + f"<AutoMinorVersionUpgrade>{str(cluster.get('AutoMinorVersionUpgrade', True)).lower()}</AutoMinorVersionUpgrade>"


elasticache._create_replication_group, elasticache._rg_xml, elasticache._cluster_xml_inner = create_group, with_key, with_upgrades

# --- ElastiCache: subnets of a network that another emulator keeps

subnets_here = elasticache._resolve_subnets


def resolve_subnets(request):
    here = subnets_here(request)
    if here is not None:
        return here
    names = [value for key, value in sorted(request.items()) if key.startswith("SubnetIds.")]
    names = [name[0] if isinstance(name, list) else name for name in names]
    zones = [f"us-east-1{letter}" for letter in "abcdef"]
    return [{"SubnetIdentifier": name, "SubnetAvailabilityZone": {"Name": zone}} for name, zone in zip(names, zones)], "vpc-0123456789abcdef0"


elasticache._resolve_subnets = resolve_subnets

# --- RDS: exported logs, and the key of Performance Insights

new_instance, instance_xml = rds._create_db_instance, rds._instance_xml


def create_instance(request):
    answer = new_instance(request)
    instance = rds._instances.get(rds._p(request, "DBInstanceIdentifier"))
    if instance is not None:
        # `EnableCloudwatchLogsExports.member.1` and so on.
        instance["LogsExported"] = [rds._p(request, key) for key in sorted(request) if key.startswith("EnableCloudwatchLogsExports.member.")]
        instance["InsightsKey"] = rds._p(request, "PerformanceInsightsKMSKeyId")
    return answer


def with_logs(instance, *arguments, **named):
    logs = "".join(f"<member>{name}</member>" for name in instance.get("LogsExported", []))
    key = instance.get("InsightsKey")
    text = instance_xml(instance, *arguments, **named)
    text = text.replace("<EnabledCloudwatchLogsExports/>", f"<EnabledCloudwatchLogsExports>{logs}</EnabledCloudwatchLogsExports>")
    return text + (f"<PerformanceInsightsKMSKeyId>{key}</PerformanceInsightsKMSKeyId>" if key else "")


rds._create_db_instance, rds._instance_xml = create_instance, with_logs
rds._ACTION_MAP["CreateDBInstance"] = create_instance

# --- Secrets Manager: an end to rotation

answer_secrets = secretsmanager.handle_request


async def with_cancel(method, path, headers, body, query):
    if not headers.get("x-amz-target", "").endswith(".CancelRotateSecret"):
        return await answer_secrets(method, path, headers, body, query)
    _, secret = secretsmanager._resolve(json.loads(body)["SecretId"])
    secret["RotationEnabled"] = False
    secret.pop("RotationLambdaARN", None)
    secret.pop("RotationRules", None)
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"ARN": secret["ARN"], "Name": secret["Name"]}).encode()


secretsmanager.handle_request = with_cancel

if __name__ == "__main__":
    app.main()
