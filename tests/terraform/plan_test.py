"""What examples/huntaze-production plans, read from the plan's JSON: one test for each point that the system has to keep, and IAM rules.

    plan_test.py PLAN.json [IAM_DEFINITION.json]

The IAM definition (which actions have resource types) is the one that comes with checkov.
"""

import json
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCOUNT, REGION = "123456789012", "us-east-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:huntaze-cost-alerts"
CLUSTERS = {"ai-team", "huntaze-cluster", "huntaze-of-fargate"}


def without_resource():
    """The actions that may stand beside `*`: those of the table in terraform/README.md, which says who needs each and why."""
    text = (ROOT / "terraform/README.md").read_text()
    table = text.split("### `*` as a resource", 1)[1].split("\n### ", 1)[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {action for cell in first_cells for action in re.findall(r"`([a-z0-9-]+:[A-Za-z]+)`", cell)}


WITHOUT_RESOURCE = without_resource()
PLAN = {}
IAM = {}


def resources(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def of(kind):
    return [one for one in resources(PLAN["planned_values"]["root_module"]) if one["type"] == kind and one["mode"] == "managed"]


def values(kind, **wanted):
    found = [one["values"] for one in of(kind)]
    return [one for one in found if all(one.get(key) == value for key, value in wanted.items())]


def only(kind, **wanted):
    found = values(kind, **wanted)
    assert len(found) == 1, f"{len(found)} of {kind} with {wanted}"
    return found[0]


def known(resource, field):
    value = resource.get(field)
    assert value is not None, f"{field} is not known in the plan"
    return value


def listed(value):
    return value if isinstance(value, list) else [value]


def statements(document):
    return listed(json.loads(document)["Statement"])


def policies():
    """Every policy document of the plan with the address that it stands at."""
    for one in resources(PLAN["planned_values"]["root_module"]):
        for field in ("policy", "assume_role_policy"):
            if one["type"].startswith("aws_") and isinstance(one["values"].get(field), str):
                yield f"{one['address']}.{field}", one["type"], field, statements(one["values"][field])


class Orchestrator(unittest.TestCase):
    def test_workflow_queue_is_fifo_with_high_throughput(self):
        queue = only("aws_sqs_queue", name="huntaze-hybrid-workflows.fifo")
        self.assertTrue(queue["fifo_queue"])
        self.assertEqual((queue["deduplication_scope"], queue["fifo_throughput_limit"]), ("messageGroup", "perMessageGroupId"))
        dead = json.loads(known(queue, "redrive_policy"))["deadLetterTargetArn"]
        self.assertEqual(dead, f"arn:aws:sqs:{REGION}:{ACCOUNT}:huntaze-hybrid-workflows-dlq.fifo")
        self.assertTrue(only("aws_sqs_queue", name="huntaze-hybrid-workflows-dlq.fifo")["fifo_queue"])

    def test_rate_limiter_queue_polls_long_and_gives_up_after_five(self):
        queue = only("aws_sqs_queue", name="huntaze-rate-limiter-queue")
        self.assertFalse(queue["fifo_queue"])
        self.assertEqual(queue["receive_wait_time_seconds"], 20)
        self.assertEqual(
            json.loads(known(queue, "redrive_policy")),
            {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:huntaze-rate-limiter-queue-dlq", "maxReceiveCount": 5},
        )

    def test_only_its_own_queue_may_use_a_dead_letter_queue(self):
        for name in ("huntaze-hybrid-workflows", "huntaze-rate-limiter-queue"):
            suffix = ".fifo" if "workflows" in name else ""
            allowed = json.loads(known(only("aws_sqs_queue", name=f"{name}-dlq{suffix}"), "redrive_allow_policy"))
            self.assertEqual(allowed, {"redrivePermission": "byQueue", "sourceQueueArns": [f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}{suffix}"]})

    def test_every_queue_is_encrypted_and_takes_tls_only(self):
        queues = values("aws_sqs_queue")
        self.assertGreaterEqual(len(queues), 5)
        for queue in queues:
            self.assertTrue(known(queue, "kms_master_key_id"), queue["name"])
            denied = [one for one in statements(known(queue, "policy")) if one["Effect"] == "Deny"]
            self.assertEqual([one["Condition"] for one in denied], [{"Bool": {"aws:SecureTransport": "false"}}], queue["name"])

    def test_tables(self):
        tables = {table["name"]: table for table in values("aws_dynamodb_table")}
        self.assertEqual(set(tables), {"huntaze-ai-costs-production", "huntaze-cost-alerts-production"})
        for table in tables.values():
            self.assertEqual((table["hash_key"], table["range_key"], table["billing_mode"]), ("pk", "sk", "PAY_PER_REQUEST"))
            self.assertEqual({(one["name"], one["type"]) for one in table["attribute"]}, {("pk", "S"), ("sk", "S")})
            self.assertTrue(table["ttl"][0]["enabled"])
            self.assertTrue(table["server_side_encryption"][0]["enabled"])
            self.assertTrue(known(table["server_side_encryption"][0], "kms_key_arn"))
            self.assertTrue(table["point_in_time_recovery"][0]["enabled"])
            self.assertTrue(table["deletion_protection_enabled"])

    def test_topic_is_encrypted_and_bound_to_the_account(self):
        topic = only("aws_sns_topic", name="huntaze-cost-alerts")
        self.assertTrue(known(topic, "kms_master_key_id"))
        services = {}
        for statement in statements(known(only("aws_sns_topic_policy"), "policy")):
            if statement["Effect"] == "Allow":
                self.assertIn("Condition", statement)
                services[statement["Principal"]["Service"]] = statement["Condition"]
        for service in ("budgets", "costalerts", "cloudwatch"):
            self.assertEqual(services[f"{service}.amazonaws.com"], {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, service)

    def test_people_are_told_by_email_and_slack(self):
        self.assertEqual([one["endpoint"] for one in values("aws_sns_topic_subscription", protocol="email")], ["finops@example.com"])
        slack = only("aws_chatbot_slack_channel_configuration")
        self.assertEqual((slack["slack_team_id"], slack["slack_channel_id"]), ("T0123ABCDEF", "C0123ABCDEF"))
        self.assertEqual(slack["guardrail_policy_arns"], ["arn:aws:iam::aws:policy/AWSDenyAll"])

    def test_budget_tells_at_80_forecast_and_100_actual(self):
        budget = only("aws_budgets_budget")
        self.assertEqual((budget["time_unit"], budget["limit_amount"], budget["limit_unit"]), ("MONTHLY", "2000", "USD"))
        self.assertEqual(
            {(one["notification_type"], one["threshold"], one["threshold_type"]) for one in budget["notification"]},
            {("FORECASTED", 80, "PERCENTAGE"), ("ACTUAL", 100, "PERCENTAGE")},
        )
        for one in budget["notification"]:
            self.assertEqual(one["subscriber_sns_topic_arns"], [TOPIC])
        self.assertFalse(budget["cost_types"][0]["include_credit"])

    def test_anomalies_pass_an_absolute_and_a_percentage_threshold(self):
        self.assertEqual(only("aws_ce_anomaly_monitor")["monitor_dimension"], "SERVICE")
        subscription = only("aws_ce_anomaly_subscription")
        self.assertEqual((subscription["frequency"], subscription["subscriber"]), ("IMMEDIATE", [{"address": TOPIC, "type": "SNS"}]))
        parts = {part["dimension"][0]["key"]: part["dimension"][0]["values"] for part in subscription["threshold_expression"][0]["and"]}
        self.assertEqual(parts, {"ANOMALY_TOTAL_IMPACT_ABSOLUTE": ["10"], "ANOMALY_TOTAL_IMPACT_PERCENTAGE": ["20"]})


class Monitor(unittest.TestCase):
    def test_function(self):
        function = only("aws_lambda_function", function_name="finops-monitor")
        self.assertEqual((function["runtime"], function["architectures"], function["handler"]), ("provided.al2023", ["arm64"], "bootstrap"))
        self.assertEqual(only("aws_cloudwatch_log_group", name="/aws/lambda/finops-monitor")["retention_in_days"], 30)

    def test_schedule_retries_and_keeps_what_failed(self):
        target = only("aws_scheduler_schedule", name="finops-monitor")["target"][0]
        self.assertEqual(target["arn"], f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:finops-monitor")
        self.assertGreater(target["retry_policy"][0]["maximum_retry_attempts"], 0)
        self.assertEqual(target["dead_letter_config"][0]["arn"], f"arn:aws:sqs:{REGION}:{ACCOUNT}:huntaze-finops-monitor-dlq")

    def test_role_is_exactly_what_the_code_declares(self):
        role = next(one for one in of("aws_iam_role_policy") if ".module.monitor" in one["address"] and one["name"] == "monitor")
        granted = {one["Sid"]: sorted(one["Action"]) for one in statements(known(role["values"], "policy"))}
        declared = {one["sid"]: sorted(one["actions"]) for one in json.loads((ROOT / "policies/permissions.json").read_text())}
        # The example names no further accounts and no report in Athena, so that nothing may be assumed or queried.
        for sid in ("OtherAccounts", "Athena", "AthenaCatalog", "AthenaData"):
            del declared[sid]
        self.assertEqual(granted, declared)

    def test_alarms(self):
        alarms = {one["alarm_name"]: one for one in values("aws_cloudwatch_metric_alarm")}
        for name in ("finops-monitor-errors", "finops-monitor-throttles", "finops-monitor-missed", "finops-monitor-sources-failed", "finops-monitor-messages-waiting", "finops-monitor-messages-set-aside", "dead-letters-schedule", "dead-letters-rate_limiter", "dead-letters-workflows"):
            self.assertEqual(alarms[f"huntaze-{name}"]["alarm_actions"], [TOPIC], name)
        missed = alarms["huntaze-finops-monitor-missed"]
        self.assertEqual((missed["evaluation_periods"], missed["treat_missing_data"]), (2, "breaching"))

    def test_secrets_are_in_secrets_manager_without_a_value_of_ours(self):
        self.assertEqual({one["name"] for one in values("aws_secretsmanager_secret")}, {"huntaze/production/slack-webhook", "huntaze/production/redis-auth"})
        self.assertEqual(len(of("aws_secretsmanager_secret_version")), 1, "only the first token of Redis is set here")


class RateLimiter(unittest.TestCase):
    def test_one_copy_with_partial_batch_failures(self):
        self.assertEqual(only("aws_lambda_function", function_name="finops-limiter")["reserved_concurrent_executions"], 1)
        mapping = only("aws_lambda_event_source_mapping")
        self.assertEqual(mapping["event_source_arn"], f"arn:aws:sqs:{REGION}:{ACCOUNT}:huntaze-rate-limiter-queue")
        self.assertEqual(mapping["function_response_types"], ["ReportBatchItemFailures"])

    def test_callers_sign_their_requests(self):
        self.assertEqual(only("aws_lambda_function_url")["authorization_type"], "AWS_IAM")

    def test_reaches_redis_and_its_token_only(self):
        rules = [one["values"] for one in of("aws_vpc_security_group_egress_rule") if ".module.rate_limiter" in one["address"]]
        self.assertEqual({(one["from_port"], one["to_port"]) for one in rules}, {(6379, 6379), (443, 443)})
        for one in rules:
            self.assertIsNone(one["cidr_ipv4"])
            self.assertIsNone(one["cidr_ipv6"])


class Security(unittest.TestCase):
    def test_redis(self):
        group = only("aws_elasticache_replication_group")
        self.assertIn(group["at_rest_encryption_enabled"], (True, "true"))
        self.assertTrue(group["transit_encryption_enabled"])
        self.assertTrue(known(group, "auth_token"))
        rotation = only("aws_secretsmanager_secret_rotation")
        self.assertEqual((rotation["rotation_rules"][0]["automatically_after_days"], rotation["rotate_immediately"]), (30, True))

    def test_no_bucket_is_public(self):
        account = only("aws_s3_account_public_access_block")
        for lock in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"):
            self.assertTrue(account[lock], lock)

    def test_own_buckets_are_encrypted_and_take_tls_only(self):
        buckets = of("aws_s3_bucket")
        self.assertEqual([one["values"]["bucket"] for one in buckets], [f"huntaze-audit-production-{ACCOUNT}"])
        self.assertEqual(only("aws_s3_bucket_server_side_encryption_configuration")["rule"][0]["apply_server_side_encryption_by_default"][0]["sse_algorithm"], "aws:kms")
        denied = {one["Sid"] for one in statements(known(only("aws_s3_bucket_policy"), "policy")) if one["Effect"] == "Deny"}
        self.assertEqual(denied, {"TlsOnly", "NobodyDeletes"})

    def test_database_takes_tls_only(self):
        parameters = {one["name"]: one["value"] for one in only("aws_db_parameter_group")["parameter"]}
        self.assertEqual(parameters["rds.force_ssl"], "1")
        instance = only("aws_db_instance")
        self.assertTrue(instance["performance_insights_enabled"])
        self.assertTrue(instance["storage_encrypted"])
        self.assertFalse(instance["publicly_accessible"])

    def test_trail(self):
        trail = only("aws_cloudtrail")
        self.assertTrue(trail["is_multi_region_trail"])
        self.assertTrue(trail["enable_log_file_validation"])
        self.assertTrue(known(trail, "kms_key_id"))
        self.assertTrue(only("aws_s3_bucket")["object_lock_enabled"])

    def test_guardduty_findings_reach_the_topic(self):
        self.assertTrue(only("aws_guardduty_detector")["enable"])
        self.assertEqual(json.loads(only("aws_cloudwatch_event_rule")["event_pattern"])["source"], ["aws.guardduty"])
        self.assertEqual(only("aws_cloudwatch_event_target")["arn"], TOPIC)

    def test_security_hub_with_best_practices(self):
        self.assertEqual(len(of("aws_securityhub_account")), 1)
        self.assertIn("aws-foundational-security-best-practices", only("aws_securityhub_standards_subscription")["standards_arn"])

    def test_execution_and_task_roles_are_split(self):
        names = {one["name"] for one in values("aws_iam_role")}
        self.assertTrue({"huntaze-worker-execution", "huntaze-worker-task"} <= names)
        by_name = {one["address"].split(".")[-1]: one for one in of("aws_iam_role_policy")}
        execution = [action for one in statements(by_name['execution["worker"]']["values"]["policy"]) for action in one["Action"]]
        task = [action for one in statements(by_name['task["worker"]']["values"]["policy"]) for action in one["Action"]]
        self.assertIn("secretsmanager:GetSecretValue", execution)
        self.assertEqual(task, ["sqs:SendMessage"])


class Observability(unittest.TestCase):
    def test_container_insights(self):
        clusters = {one["name"]: one["setting"] for one in values("aws_ecs_cluster")}
        self.assertEqual(set(clusters), CLUSTERS)
        for setting in clusters.values():
            self.assertEqual(setting, [{"name": "containerInsights", "value": "enabled"}])

    def test_alarms_on_cpu_memory_and_requests(self):
        metrics = {(one["namespace"], one["metric_name"]) for one in values("aws_cloudwatch_metric_alarm")}
        self.assertTrue({("AWS/ECS", "CPUUtilization"), ("AWS/ECS", "MemoryUtilization"), ("AWS/ApplicationELB", "RequestCount")} <= metrics)

    def test_retention_by_class(self):
        days = {one["name"]: one["retention_in_days"] for one in values("aws_cloudwatch_log_group")}
        self.assertEqual((days["/ecs/ai-team"], days["/ecs/huntaze-cluster"]), (30, 90))
        for name in ("/huntaze/access-audit", "/aws/cloudtrail/huntaze-production"):
            self.assertGreaterEqual(days[name], 365, name)

    def test_collector_instead_of_xray(self):
        self.assertFalse([one for one in of("aws_lambda_function") if one["values"].get("tracing_config")])
        self.assertEqual(only("aws_cloudwatch_log_group", name="/ecs/huntaze/otel-collector")["retention_in_days"], 30)

    def test_dashboard(self):
        self.assertEqual(only("aws_cloudwatch_dashboard")["dashboard_name"], "huntaze-finops-production")


class Scaling(unittest.TestCase):
    def test_targets(self):
        settings = [one["target_tracking_scaling_policy_configuration"][0] for one in values("aws_appautoscaling_policy")]
        self.assertEqual(
            {(one["predefined_metric_specification"][0]["predefined_metric_type"], one["target_value"]) for one in settings},
            {("ECSServiceAverageCPUUtilization", 70), ("ECSServiceAverageMemoryUtilization", 80)},
        )
        self.assertEqual({one["resource_id"].split("/")[1] for one in values("aws_appautoscaling_target")}, CLUSTERS)

    def test_deployments_roll_back(self):
        self.assertEqual(only("aws_ecs_service")["deployment_circuit_breaker"], [{"enable": True, "rollback": True}])


class NetworkAndStorage(unittest.TestCase):
    def test_gateways_on_every_route_table(self):
        gateways = values("aws_vpc_endpoint", vpc_endpoint_type="Gateway")
        self.assertEqual({one["service_name"] for one in gateways}, {f"com.amazonaws.{REGION}.s3", f"com.amazonaws.{REGION}.dynamodb"})
        for one in gateways:
            self.assertEqual(len(one["route_table_ids"]), 2)

    def test_interface_endpoints_only_as_asked_with_break_even(self):
        interfaces = values("aws_vpc_endpoint", vpc_endpoint_type="Interface")
        self.assertEqual({one["service_name"].rsplit(".", 1)[1] for one in interfaces}, {"elasticache", "secretsmanager"})

    def test_intelligent_tiering_leaves_other_rules(self):
        media = only("aws_s3_bucket_intelligent_tiering_configuration", bucket="huntaze-media")
        self.assertEqual({one["access_tier"]: one["days"] for one in media["tiering"]}, {"ARCHIVE_ACCESS": 90, "DEEP_ARCHIVE_ACCESS": 180})
        rules = only("aws_s3_bucket_lifecycle_configuration", bucket="huntaze-exports")["rule"]
        self.assertEqual([one["id"] for one in rules], ["temporary", "huntaze-finops-intelligent-tiering"])
        self.assertEqual(rules[1]["transition"][0]["storage_class"], "INTELLIGENT_TIERING")


class State(unittest.TestCase):
    def test_production_keeps_no_local_state(self):
        text = (ROOT / "terraform/examples/huntaze-production/backend.tf").read_text()
        self.assertIn('backend "s3"', text)
        self.assertIn("use_lockfile = true", text)


class Iam(unittest.TestCase):
    def test_all_policies_can_be_read_in_the_plan(self):
        unknown = [
            change["address"] for change in PLAN["resource_changes"]
            if change["type"] in ("aws_iam_role_policy", "aws_iam_role", "aws_sqs_queue", "aws_sns_topic_policy", "aws_s3_bucket_policy")
            and (change["change"].get("after_unknown") or {}).get("policy") is True
        ]
        self.assertEqual(unknown, [])
        self.assertGreater(len(list(policies())), 20)

    def test_no_action_is_a_wildcard(self):
        for address, _, _, found in policies():
            for statement in found:
                for action in listed(statement["Action"]):
                    if statement["Effect"] == "Allow":
                        self.assertNotIn("*", action, address)

    def test_no_statement_allows_by_exclusion(self):
        for address, _, _, found in policies():
            for statement in found:
                self.assertFalse({"NotAction", "NotResource", "NotPrincipal"} & set(statement), address)

    def test_star_only_where_aws_has_no_resource_type(self):
        seen = set()
        for address, kind, field, found in policies():
            # In a key policy `*` is the key itself; a trust policy has no resource.
            if kind == "aws_kms_key" or field == "assume_role_policy":
                continue
            for statement in found:
                if statement["Effect"] == "Allow" and "*" in listed(statement["Resource"]):
                    seen |= set(statement["Action"])
                    self.assertLessEqual(set(statement["Action"]), WITHOUT_RESOURCE, f"{address}: not in the table of terraform/README.md")
        self.assertEqual(seen, WITHOUT_RESOURCE, "the table of terraform/README.md names an action that nothing uses")

    def test_aws_itself_says_that_those_have_no_resource_type(self):
        if not IAM:
            self.fail("the IAM definition is missing: give its path as second argument")
        for action in WITHOUT_RESOURCE:
            service, name = action.split(":")
            required = {kind for kind, needs in IAM[service]["privileges"][name]["resource_types"].items() if kind}
            self.assertEqual(required, set(), action)

    def test_every_granted_action_exists(self):
        for address, _, _, found in policies():
            for statement in found:
                for action in listed(statement["Action"]):
                    service, name = action.split(":")
                    if name != "*":
                        self.assertIn(name, IAM[service]["privileges"], address)

    def test_services_are_trusted_for_this_account_only(self):
        # Lambda assumes a role for the function that carries it: AWS offers no condition there.
        for address, _, field, found in policies():
            if field != "assume_role_policy":
                continue
            for statement in found:
                if statement["Principal"].get("Service") != "lambda.amazonaws.com":
                    self.assertIn("Condition", statement, address)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PLAN.update(json.loads(pathlib.Path(sys.argv[1]).read_text()))
    if len(sys.argv) > 2:
        IAM.update(json.loads(pathlib.Path(sys.argv[2]).read_text()))
    unittest.main(argv=sys.argv[:1])
