# modules/orchestrator: queues, tables, topic, budget, anomaly detection.

mock_provider "aws" {}

variables {
  namespace   = "huntaze"
  environment = "production"
  account_id  = "123456789012"
  region      = "us-east-1"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "names_and_queues" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  assert {
    condition     = aws_sqs_queue.this["workflows"].name == "huntaze-hybrid-workflows.fifo" && aws_sqs_queue.this["rate_limiter"].name == "huntaze-rate-limiter-queue"
    error_message = "the queues have the agreed names"
  }

  assert {
    condition     = aws_sqs_queue.this["workflows"].fifo_queue && aws_sqs_queue.this["workflows"].deduplication_scope == "messageGroup" && aws_sqs_queue.this["workflows"].fifo_throughput_limit == "perMessageGroupId"
    error_message = "the workflow queue is FIFO with high throughput"
  }

  assert {
    condition     = !coalesce(aws_sqs_queue.this["rate_limiter"].fifo_queue, false) && aws_sqs_queue.this["rate_limiter"].receive_wait_time_seconds == 20
    error_message = "the rate limiter's queue is standard with long polling"
  }

  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : jsondecode(queue.redrive_policy).maxReceiveCount == 5])
    error_message = "five receives, then the dead-letter queue"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.dead_letter["workflows"].redrive_allow_policy).sourceQueueArns == ["arn:aws:sqs:us-east-1:123456789012:huntaze-hybrid-workflows.fifo"]
    error_message = "only its own queue may use a dead-letter queue"
  }

  assert {
    condition     = alltrue([for queue in concat(values(aws_sqs_queue.this), values(aws_sqs_queue.dead_letter)) : queue.kms_master_key_id == var.kms_key_arn && jsondecode(queue.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"])
    error_message = "every queue is encrypted and takes TLS only"
  }
}

run "tables" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  assert {
    condition     = toset([for table in aws_dynamodb_table.this : table.name]) == toset(["huntaze-ai-costs-production", "huntaze-cost-alerts-production"])
    error_message = "the tables have the agreed names"
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.hash_key == "pk" && table.range_key == "sk" && table.billing_mode == "PAY_PER_REQUEST" && table.ttl[0].enabled && table.ttl[0].attribute_name == "ttl"])
    error_message = "keys, billing and TTL are what the code expects"
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.server_side_encryption[0].kms_key_arn == var.kms_key_arn && table.point_in_time_recovery[0].enabled && table.deletion_protection_enabled])
    error_message = "tables are encrypted, restorable and protected by default"
  }
}

run "table_switches" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  variables {
    deletion_protection    = false
    point_in_time_recovery = false
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : !table.point_in_time_recovery[0].enabled && !table.deletion_protection_enabled])
    error_message = "both can be turned off"
  }
}

run "topic_is_bound_to_the_account" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  assert {
    condition     = aws_sns_topic.alerts.name == "huntaze-cost-alerts" && aws_sns_topic.alerts.kms_master_key_id == var.kms_key_arn
    error_message = "the topic has the agreed name and is encrypted"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_sns_topic_policy.alerts.policy).Statement : try(statement.Condition.StringEquals["aws:SourceAccount"], "") == "123456789012"
      if contains(["budgets.amazonaws.com", "costalerts.amazonaws.com", "cloudwatch.amazonaws.com"], try(statement.Principal.Service, ""))
    ])
    error_message = "Budgets, Anomaly Detection and CloudWatch publish for this account only"
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0 && length(aws_sns_topic_subscription.https) == 0 && length(aws_chatbot_slack_channel_configuration.this) == 0 && length(aws_budgets_budget.monthly) == 0 && length(aws_ce_anomaly_subscription.alerts) == 0
    error_message = "what is not asked for is not created"
  }
}

run "everything_on" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  variables {
    email_subscriptions = ["finops@example.com"]
    https_subscriptions = ["https://hooks.example.com/alerts"]
    slack               = { team_id = "T0123ABCDEF", channel_id = "C0123ABCDEF" }
    budget              = { limit_usd = 2000, filters = { TagKeyValue = ["user:team$search"] } }
    anomaly             = {}
  }

  assert {
    condition     = { for notification in aws_budgets_budget.monthly[0].notification : notification.notification_type => notification.threshold } == { FORECASTED = 80, ACTUAL = 100 }
    error_message = "80 % forecast and 100 % actual"
  }

  assert {
    condition     = alltrue([for notification in aws_budgets_budget.monthly[0].notification : notification.subscriber_sns_topic_arns == toset(["arn:aws:sns:us-east-1:123456789012:huntaze-cost-alerts"])])
    error_message = "both thresholds go to the topic"
  }

  assert {
    condition     = !aws_budgets_budget.monthly[0].cost_types[0].include_credit && !aws_budgets_budget.monthly[0].cost_types[0].include_refund
    error_message = "credits must not hide usage"
  }

  assert {
    condition     = toset([for part in aws_ce_anomaly_subscription.alerts[0].threshold_expression[0].and : part.dimension[0].key]) == toset(["ANOMALY_TOTAL_IMPACT_ABSOLUTE", "ANOMALY_TOTAL_IMPACT_PERCENTAGE"])
    error_message = "an anomaly has to pass both thresholds"
  }

  assert {
    condition     = aws_chatbot_slack_channel_configuration.this[0].guardrail_policy_arns == tolist(["arn:aws:iam::aws:policy/AWSDenyAll"])
    error_message = "the Slack role can do nothing"
  }

  assert {
    condition     = length(aws_ce_anomaly_monitor.services) == 1 && length(aws_sns_topic_subscription.email) == 1 && length(aws_sns_topic_subscription.https) == 1
    error_message = "monitor and subscriptions are created"
  }
}

run "uses_the_monitor_that_exists" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  variables {
    anomaly = { monitor_arn = "arn:aws:ce::123456789012:anomalymonitor/0" }
  }

  assert {
    condition     = length(aws_ce_anomaly_monitor.services) == 0 && aws_ce_anomaly_subscription.alerts[0].monitor_arn_list == tolist(["arn:aws:ce::123456789012:anomalymonitor/0"])
    error_message = "AWS allows one monitor by service: the given one is used"
  }
}

run "without_queues_and_tables" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  variables {
    create_queues = false
    create_tables = false
  }

  assert {
    condition     = length(aws_sqs_queue.this) + length(aws_sqs_queue.dead_letter) + length(aws_dynamodb_table.this) == 0
    error_message = "both switches leave everything out"
  }

  assert {
    condition     = length(output.table_arns) == 2
    error_message = "the ARNs follow from the names, also for tables made elsewhere"
  }
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  variables {
    namespace                  = "Huntaze"
    environment                = "p"
    account_id                 = "1234"
    region                     = "Virginia"
    tags                       = { "aws:team" = "search" }
    kms_key_arn                = "alias/key"
    max_receive_count          = 0
    visibility_timeout_seconds = 50000
    email_subscriptions        = ["finops"]
    https_subscriptions        = ["http://hooks.example.com"]
    slack                      = { team_id = "huntaze", channel_id = "C0123ABCDEF" }
    budget                     = { limit_usd = 0 }
    anomaly                    = { percent = -1 }
  }

  expect_failures = [
    var.namespace, var.environment, var.account_id, var.region, var.tags, var.kms_key_arn, var.max_receive_count, var.visibility_timeout_seconds,
    var.email_subscriptions, var.https_subscriptions, var.slack, var.budget, var.anomaly,
  ]
}

run "refuses_names_of_channels_and_monitors" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  variables {
    slack   = { team_id = "T0123ABCDEF", channel_id = "#alerts" }
    budget  = { limit_usd = 100, forecast_percent = 0 }
    anomaly = { monitor_arn = "services" }
  }

  expect_failures = [var.slack, var.budget, var.anomaly]
}

run "refuses_a_tag_filter_that_matches_nothing" {
  command = plan

  module {
    source = "./modules/orchestrator"
  }

  variables {
    budget = { limit_usd = 100, filters = { TagKeyValue = ["team=search"] } }
  }

  expect_failures = [var.budget]
}
