# What must not pass in silence: errors, throttles, missed runs, messages that nobody handled.

locals {
  period = max(60, var.every_minutes * 60)

  counts = {
    errors    = { metric = "Errors", text = "a run of finops-monitor failed" }
    throttles = { metric = "Throttles", text = "a run of finops-monitor was not started: concurrency" }
  }

  # What a run says of itself: it ends well for Lambda though a source cannot be read or nobody can be told.
  said = {
    sources-failed     = { metric = "SourcesFailed", text = "a source could not be read by ${local.said_periods} runs" }
    messages-waiting   = { metric = "MessagesWaiting", text = "messages could not be told by ${local.said_periods} runs: look at the topic, its key and the log" }
    messages-set-aside = { metric = "MessagesSetAside", text = "messages are refused by their channel for good: `finops alert retry` tries them again" }
  }
  said_periods = 3

  # The first topic may be what is broken.
  alarm_topics = concat([var.topic_arn], sort(var.alarm_topic_arns))

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
  alarm_actions       = local.alarm_topics
  ok_actions          = local.alarm_topics
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "said" {
  for_each = local.said

  alarm_name          = "${var.namespace}-finops-monitor-${each.key}"
  alarm_description   = each.value.text
  namespace           = "finops"
  metric_name         = each.value.metric
  dimensions          = { Environment = var.environment }
  statistic           = "Maximum"
  period              = local.period
  evaluation_periods  = local.said_periods
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  # A run that does not come is another alarm's.
  treat_missing_data = "ignore"
  alarm_actions      = local.alarm_topics
  ok_actions         = local.alarm_topics
  tags               = var.tags
}

# Silence is the failure that nothing else reports, so absent data alarms.
resource "aws_cloudwatch_metric_alarm" "missed" {
  alarm_name          = "${var.namespace}-finops-monitor-missed"
  alarm_description   = "no successful run of finops-monitor for two periods of ${var.every_minutes} minutes"
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.alarm_topics
  ok_actions          = local.alarm_topics
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
  alarm_actions       = local.alarm_topics
  ok_actions          = local.alarm_topics
  tags                = var.tags
}
