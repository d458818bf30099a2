"""moto's server with the calls that the AWS provider makes and moto 5.2 lacks: `moto_server.py -H ADDRESS -p PORT`.

The added calls keep what they are given and hand it back. A round trip through them shows that the configuration can be written,
read back without a difference and deleted; it does not show that AWS would accept it.
"""

import json
import uuid

import moto.server
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.awslambda.models import LambdaFunction
from moto.budgets.responses import BudgetsResponse
from moto.ce.responses import CostExplorerResponse
from moto.dynamodb.responses import DynamoHandler
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.models import Service
from moto.logs.responses import LogsResponse
from moto.rds.models import DBParameterGroup
from moto.securityhub import urls as securityhub_urls
from moto.securityhub.responses import SecurityHubResponse
from moto.sqs.models import Queue, SQSBackend


def body(response):
    return json.loads(response.body or "{}")


def adds(target, name=None):
    """Puts a function into a class of moto as one more call."""

    def put(function):
        setattr(target, name or function.__name__, function)
        return function

    return put


# --- Cost Anomaly Detection: monitors and subscriptions, by account and ARN


class Kept:
    """One kind of object that Cost Explorer keeps: what it is called in requests, in answers and in its ARN."""

    def __init__(self, noun, plural, arn_key, unknown):
        self.noun, self.plural, self.arn_key, self.unknown = noun, plural, arn_key, unknown
        self.objects = {}

    def create(self, response):
        request = body(response)
        arn = f"arn:aws:ce::{response.current_account}:{self.noun.lower()}/{uuid.uuid4()}"
        self.objects[arn] = {**request[self.noun], self.arn_key: arn, "AccountId": response.current_account}
        if request.get("ResourceTags"):
            response.ce_backend.tag_resource(arn, request["ResourceTags"])
        return json.dumps({self.arn_key: arn})

    def get(self, response):
        wanted = body(response).get(f"{self.arn_key}List") or list(self.objects)
        if any(arn not in self.objects for arn in wanted):
            return 400, {"status": 400}, json.dumps({"__type": self.unknown, "Message": "not found"})
        return json.dumps({self.plural: [self.objects[arn] for arn in wanted]})

    def update(self, response):
        request = body(response)
        self.objects[request[self.arn_key]].update(request)
        return json.dumps({self.arn_key: request[self.arn_key]})

    def delete(self, response):
        self.objects.pop(body(response)[self.arn_key], None)
        return "{}"


for kept, suffix in (
    (Kept("AnomalyMonitor", "AnomalyMonitors", "MonitorArn", "UnknownMonitorException"), "anomaly_monitor"),
    (Kept("AnomalySubscription", "AnomalySubscriptions", "SubscriptionArn", "UnknownSubscriptionException"), "anomaly_subscription"),
):
    adds(CostExplorerResponse, f"create_{suffix}")(lambda self, kept=kept: kept.create(self))
    adds(CostExplorerResponse, f"get_{suffix}s")(lambda self, kept=kept: kept.get(self))
    adds(CostExplorerResponse, f"update_{suffix}")(lambda self, kept=kept: kept.update(self))
    adds(CostExplorerResponse, f"delete_{suffix}")(lambda self, kept=kept: kept.delete(self))


# --- Budgets: who is told, and tags


def notification_of(response):
    request = body(response)

    def comparable(details):
        details = {"ThresholdType": "PERCENTAGE", **details}
        details.pop("NotificationState", None)
        return {**details, "Threshold": float(details["Threshold"])}

    budget = response.backend.budgets[request["AccountId"]][request["BudgetName"]]
    wanted = comparable(request["Notification"])
    return next((one for one in budget.notifications if comparable(one.details) == wanted), None)


@adds(BudgetsResponse)
def describe_subscribers_for_notification(self):
    notification = notification_of(self)
    return json.dumps({"Subscribers": notification.subscribers if notification else []})


@adds(BudgetsResponse)
def create_subscriber(self):
    notification_of(self).subscribers.append(body(self)["Subscriber"])
    return "{}"


create_budget = BudgetsResponse.create_budget
BUDGET_TAGS = {}


@adds(BudgetsResponse, "create_budget")
def create_tagged_budget(self):
    request = body(self)
    BUDGET_TAGS[f"{request['AccountId']}:budget/{request['Budget']['BudgetName']}"] = request.get("ResourceTags") or []
    return create_budget(self)


@adds(BudgetsResponse)
def list_tags_for_resource(self):
    return json.dumps({"ResourceTags": BUDGET_TAGS.get(body(self)["ResourceARN"].split("::")[1], [])})


# --- SQS: who may use a dead-letter queue

queue_attributes = Queue.attributes.fget
get_queue_attributes = SQSBackend.get_queue_attributes


@adds(SQSBackend, "get_queue_attributes")
def with_redrive_allow_policy(self, queue_name, attribute_names):
    wanted = list(attribute_names or [])
    known = [name for name in wanted if name != "RedriveAllowPolicy"]
    answer = get_queue_attributes(self, queue_name, known) if known or not wanted else {}
    allowed = getattr(self.get_queue(queue_name), "redrive_allow_policy", None)
    if allowed and {"All", "RedriveAllowPolicy"} & set(wanted):
        answer["RedriveAllowPolicy"] = allowed
    return answer


def compact_redrive_policy(self):
    # The provider waits until it reads back the very text that it sent.
    answer = queue_attributes(self)
    if answer.get("RedrivePolicy"):
        answer["RedrivePolicy"] = json.dumps(json.loads(answer["RedrivePolicy"]), separators=(",", ":"))
    return answer


Queue.attributes = property(compact_redrive_policy)


# --- Application Auto Scaling: tags


register_target = ApplicationAutoScalingResponse.register_scalable_target
SCALING_TAGS = {}


@adds(ApplicationAutoScalingResponse, "register_scalable_target")
def with_scaling_tags(self):
    answer = register_target(self)
    arn = json.loads(answer)["ScalableTargetARN"]
    SCALING_TAGS[arn] = {**SCALING_TAGS.get(arn, {}), **(body(self).get("Tags") or {})}
    return answer


@adds(ApplicationAutoScalingResponse, "list_tags_for_resource")
def scaling_tags(self):
    return json.dumps({"Tags": SCALING_TAGS.get(body(self)["ResourceARN"], {})})


# --- Security Hub: standards

for path in ("standards", "standards/get", "standards/register", "standards/deregister"):
    securityhub_urls.url_paths[f"{{0}}/{path}$"] = SecurityHubResponse.dispatch

STANDARDS = {}


@adds(SecurityHubResponse)
def update_security_hub_configuration(self):
    return "{}"


@adds(SecurityHubResponse)
def batch_enable_standards(self):
    for request in body(self)["StandardsSubscriptionRequests"]:
        standard = request["StandardsArn"]
        arn = f"arn:aws:securityhub:{self.region}:{self.current_account}:subscription/{standard.split('/', 1)[1]}"
        STANDARDS[arn] = {"StandardsSubscriptionArn": arn, "StandardsArn": standard, "StandardsInput": {}, "StandardsStatus": "READY"}
    return json.dumps({"StandardsSubscriptions": list(STANDARDS.values())})


@adds(SecurityHubResponse)
def get_enabled_standards(self):
    wanted = body(self).get("StandardsSubscriptionArns") or list(STANDARDS)
    return json.dumps({"StandardsSubscriptions": [STANDARDS[arn] for arn in wanted if arn in STANDARDS]})


@adds(SecurityHubResponse)
def batch_disable_standards(self):
    gone = [STANDARDS.pop(arn) for arn in body(self)["StandardsSubscriptionArns"] if arn in STANDARDS]
    return json.dumps({"StandardsSubscriptions": gone})


# --- RDS: the provider reads back only parameters whose source is the user

update_parameters = DBParameterGroup.update_parameters


@adds(DBParameterGroup, "update_parameters")
def parameters_of_the_user(self, new_parameters):
    new_parameters = list(new_parameters)
    for parameter in new_parameters:
        parameter.setdefault("Source", "user")
    update_parameters(self, new_parameters)
    for parameter in new_parameters:
        self.parameters[parameter["ParameterName"]].setdefault("Source", "user")


# --- CloudWatch Logs: a key for a group that exists


@adds(LogsResponse)
def associate_kms_key(self):
    request = body(self)
    self.logs_backend.groups[request["logGroupName"]].kms_key_id = request["kmsKeyId"]
    return "{}"


# --- DynamoDB: a key for a table that exists

update_table = DynamoHandler.update_table


@adds(DynamoHandler, "update_table")
def with_encryption(self):
    if self.body.get("SSESpecification"):
        self.dynamodb_backend.get_table(self.body["TableName"]).sse_specification = self.body["SSESpecification"]
    return update_table(self)


# --- Lambda: where a function logs to

new_function = LambdaFunction.__init__
configuration_of = LambdaFunction.get_configuration


@adds(LambdaFunction, "__init__")
def with_logging(self, account_id, spec, *arguments, **named):
    new_function(self, account_id, spec, *arguments, **named)
    self.logging_config = spec.get("LoggingConfig")


@adds(LambdaFunction, "get_configuration")
def and_its_logging(self, *arguments, **named):
    return {**configuration_of(self, *arguments, **named), "LoggingConfig": getattr(self, "logging_config", None)}


# --- EC2: descriptions of rules whose source is a group

SecurityGroupRule.description = property(lambda self: (self.ip_range or {}).get("Description") or (self.source_group or {}).get("Description"))


# --- ECS: the default of a newer setting

Service.availability_zone_rebalancing = "DISABLED"


if __name__ == "__main__":
    moto.server.main()
