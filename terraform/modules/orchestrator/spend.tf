# What AWS itself watches: a monthly budget and Cost Anomaly Detection. Both publish to the topic.

resource "aws_budgets_budget" "monthly" {
  count = var.budget == null ? 0 : 1

  name         = "${var.namespace}-monthly-${var.environment}"
  account_id   = var.account_id
  budget_type  = "COST"
  limit_amount = tostring(var.budget.limit_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
  tags         = var.tags

  cost_types {
    include_credit = false
    include_refund = false
  }

  dynamic "cost_filter" {
    for_each = var.budget.filters
    content {
      name   = cost_filter.key
      values = cost_filter.value
    }
  }

  notification {
    notification_type         = "FORECASTED"
    comparison_operator       = "GREATER_THAN"
    threshold                 = var.budget.forecast_percent
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [local.topic_arn]
  }

  notification {
    notification_type         = "ACTUAL"
    comparison_operator       = "GREATER_THAN"
    threshold                 = var.budget.actual_percent
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [local.topic_arn]
  }

  depends_on = [aws_sns_topic_policy.alerts]
}

resource "aws_ce_anomaly_monitor" "services" {
  count = var.anomaly == null ? 0 : var.anomaly.monitor_arn == null ? 1 : 0

  name              = "${var.namespace}-services-${var.environment}"
  monitor_type      = "DIMENSIONAL"
  monitor_dimension = "SERVICE"
  tags              = var.tags
}

resource "aws_ce_anomaly_subscription" "alerts" {
  count = var.anomaly == null ? 0 : 1

  name             = local.topic
  frequency        = "IMMEDIATE"
  monitor_arn_list = [var.anomaly.monitor_arn == null ? aws_ce_anomaly_monitor.services[0].arn : var.anomaly.monitor_arn]
  tags             = var.tags

  subscriber {
    type    = "SNS"
    address = local.topic_arn
  }

  threshold_expression {
    and {
      dimension {
        key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
        match_options = ["GREATER_THAN_OR_EQUAL"]
        values        = [tostring(var.anomaly.absolute_usd)]
      }
    }
    and {
      dimension {
        key           = "ANOMALY_TOTAL_IMPACT_PERCENTAGE"
        match_options = ["GREATER_THAN_OR_EQUAL"]
        values        = [tostring(var.anomaly.percent)]
      }
    }
  }

  depends_on = [aws_sns_topic_policy.alerts]
}
