# What must not pass in silence: errors, throttles, missed runs, messages that nobody handled.

locals {
  period = max(60, var.every_minutes * 60)

  counts = {
    errors    = { metric = "Errors", text = "a run of finops-monitor failed" }
    throttles = { metric = "Throttles", text = "a run of finops-monitor was not started: concurrency" }
  }

  dead_letters = merge(var.dead_letter_queue_names, { schedule = local.dead_letter_queue })
}

resource "aws_cloudwatch_metric_alarm" "counts" {
  for_each = local.counts

  alarm_name          = "${var.namespace}-finops-monitor-${each.key}"
  alarm_description   = each.value.text
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = local.function }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
  tags                = var.tags
}

# Silence is the failure that nothing else reports, so absent data alarms.
resource "aws_cloudwatch_metric_alarm" "missed" {
  alarm_name          = "${var.namespace}-finops-monitor-missed"
  alarm_description   = "no successful run of finops-monitor for two periods of ${var.every_minutes} minutes"
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
  tags                = var.tags

  metric_query {
    id          = "successes"
    expression  = "invocations - errors"
    label       = "successful runs"
    return_data = true
  }

  metric_query {
    id = "invocations"
    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Invocations"
      dimensions  = { FunctionName = local.function }
      period      = local.period
      stat        = "Sum"
    }
  }

  metric_query {
    id = "errors"
    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = { FunctionName = local.function }
      period      = local.period
      stat        = "Sum"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.dead_letters

  alarm_name          = "${var.namespace}-dead-letters-${each.key}"
  alarm_description   = "a message that could not be handled waits in ${each.value}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
  tags                = var.tags
}
