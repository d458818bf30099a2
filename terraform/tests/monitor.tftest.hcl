# modules/monitor: the scheduled job, its role, its schedule, its alarms.

mock_provider "aws" {}

variables {
  namespace   = "huntaze"
  environment = "production"
  account_id  = "123456789012"
  region      = "us-east-1"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  zip_path    = "./tests/function.zip"
  topic_arn   = "arn:aws:sns:us-east-1:123456789012:huntaze-cost-alerts"
  table_arns  = ["arn:aws:dynamodb:us-east-1:123456789012:table/huntaze-ai-costs-production"]
}

run "function" {
  command = plan

  module {
    source = "./modules/monitor"
  }

  assert {
    condition     = aws_lambda_function.monitor.function_name == "finops-monitor" && aws_lambda_function.monitor.runtime == "provided.al2023" && aws_lambda_function.monitor.architectures == tolist(["arm64"])
    error_message = "finops-monitor runs on provided.al2023, arm64"
  }

  assert {
    condition     = aws_cloudwatch_log_group.monitor.retention_in_days == 30 && aws_cloudwatch_log_group.monitor.name == "/aws/lambda/finops-monitor"
    error_message = "the log is kept 30 days"
  }

  assert {
    condition     = aws_scheduler_schedule.monitor.schedule_expression == "rate(60 minutes)" && aws_scheduler_schedule.monitor.target[0].retry_policy[0].maximum_retry_attempts == 3 && aws_scheduler_schedule.monitor.target[0].dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:123456789012:huntaze-finops-monitor-dlq"
    error_message = "every hour, three more attempts, then the dead-letter queue"
  }
}

run "role_is_what_the_code_declares" {
  command = plan

  module {
    source = "./modules/monitor"
  }

  variables {
    secrets          = ["slack-webhook"]
    assume_role_arns = ["arn:aws:iam::210987654321:role/finops-reader"]
    usage_buckets    = ["huntaze-bedrock-logs"]
    athena           = { workgroup = "finops", database = "billing", table = "cur2", buckets = ["huntaze-cur"] }
  }

  assert {
    condition     = sort(flatten([for statement in jsondecode(aws_iam_role_policy.monitor.policy).Statement : statement.Action])) == sort(flatten([for statement in jsondecode(file("../policies/permissions.json")) : statement.actions]))
    error_message = "the role's actions must equal policies/permissions.json"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.monitor.policy).Statement : statement.Resource if statement.Sid == "OtherAccounts"]) == ["arn:aws:iam::210987654321:role/finops-reader"]
    error_message = "only listed roles can be assumed"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.monitor.policy).Statement : statement.Resource if statement.Sid == "UsageObjects"]) == ["arn:aws:s3:::huntaze-bedrock-logs/*"]
    error_message = "only objects of listed buckets can be read"
  }

  assert {
    condition     = length(aws_secretsmanager_secret.this) == 1 && aws_secretsmanager_secret.this["slack-webhook"].name == "huntaze/production/slack-webhook"
    error_message = "the secret is created, without a value"
  }
}

run "role_without_what_is_not_used" {
  command = plan

  module {
    source = "./modules/monitor"
  }

  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.monitor.policy).Statement : statement if contains(["OtherAccounts", "Secrets"], statement.Sid)]) == 0
    error_message = "no secrets, no roles: no statement"
  }
}

run "alarms_follow_the_schedule" {
  command = plan

  module {
    source = "./modules/monitor"
  }

  variables {
    every_minutes           = 15
    alarm_topic_arns        = ["arn:aws:sns:us-east-1:123456789012:operators"]
    dead_letter_queue_names = { rate_limiter = "huntaze-rate-limiter-queue-dlq" }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.missed.treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.missed.evaluation_periods == 2 && alltrue([for query in aws_cloudwatch_metric_alarm.missed.metric_query : query.metric[0].period == 900 if length(query.metric) > 0])
    error_message = "two periods without a success alarm, also when nothing is reported at all"
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.dead_letters)) == toset(["rate_limiter", "schedule"]) && toset(keys(aws_cloudwatch_metric_alarm.counts)) == toset(["errors", "throttles"])
    error_message = "errors, throttles and every dead-letter queue are watched"
  }

  assert {
    condition     = toset([for alarm in aws_cloudwatch_metric_alarm.said : alarm.metric_name]) == toset(["SourcesFailed", "MessagesWaiting", "MessagesSetAside"]) && alltrue([for alarm in aws_cloudwatch_metric_alarm.said : alarm.namespace == "finops" && alarm.dimensions["Environment"] == "production" && alarm.period == 900 && length(alarm.alarm_actions) == 2])
    error_message = "what a run says of itself is watched, and told on a second way"
  }
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/monitor"
  }

  variables {
    namespace               = "Huntaze"
    environment             = "p"
    account_id              = "1234"
    region                  = "Virginia"
    tags                    = { "aws:team" = "search" }
    kms_key_arn             = "alias/key"
    zip_path                = "./tests/missing.zip"
    every_minutes           = 7
    timeout_seconds         = 14
    memory_mb               = 64
    table_arns              = []
    topic_arn               = "huntaze-cost-alerts"
    alarm_topic_arns        = ["operators@example.com"]
    assume_role_arns        = ["arn:aws:iam::210987654321:role/*"]
    usage_buckets           = ["Logs/*"]
    athena                  = { workgroup = "*", database = "billing", table = "cur2", buckets = [] }
    secrets                 = ["Slack Webhook"]
    log_retention_days      = 31
    dead_letter_queue_names = { one = "arn:aws:sqs:us-east-1:123456789012:queue" }
    environment_variables   = { SLACK_WEBHOOK = "https://hooks.slack.com/services/x" }
    permissions_file        = "./tests/missing.json"
  }

  expect_failures = [
    var.namespace, var.environment, var.account_id, var.region, var.tags, var.kms_key_arn, var.zip_path, var.every_minutes, var.timeout_seconds,
    var.memory_mb, var.table_arns, var.topic_arn, var.alarm_topic_arns, var.assume_role_arns, var.usage_buckets, var.athena, var.secrets, var.log_retention_days, var.dead_letter_queue_names,
    var.environment_variables, var.permissions_file,
  ]
}
