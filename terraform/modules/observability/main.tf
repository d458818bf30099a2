# Container Insights, alarms on services and load balancers.

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:the variable takes enabled or enhanced only, which checkov cannot see
  for_each = var.clusters

  name = each.key
  tags = var.tags

  setting {
    name  = "containerInsights"
    value = each.value.container_insights
  }
}

locals {
  service_alarms = merge([
    for key, service in var.services : {
      "${key}/cpu"    = { service = key, metric = "CPUUtilization", percent = service.cpu_percent }
      "${key}/memory" = { service = key, metric = "MemoryUtilization", percent = service.memory_percent }
    }
  ]...)
}

resource "aws_cloudwatch_metric_alarm" "service" {
  for_each = local.service_alarms

  alarm_name          = "${var.namespace}-ecs-${replace(each.key, "/", "-")}"
  alarm_description   = "${each.value.metric} of ${each.value.service} above ${each.value.percent} % for 15 minutes"
  namespace           = "AWS/ECS"
  metric_name         = each.value.metric
  statistic           = "Average"
  period              = 300
  evaluation_periods  = 3
  threshold           = each.value.percent
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "missing"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
  tags                = var.tags

  dimensions = {
    ClusterName = split("/", each.value.service)[0]
    ServiceName = split("/", each.value.service)[1]
  }
}

resource "aws_cloudwatch_metric_alarm" "requests" {
  for_each = var.load_balancers

  alarm_name          = "${var.namespace}-requests-${each.key}"
  alarm_description   = "more than ${each.value.requests_per_minute} requests a minute at ${each.key}"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "RequestCount"
  dimensions          = { LoadBalancer = each.value.arn_suffix }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  threshold           = each.value.requests_per_minute
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
  tags                = var.tags
}
