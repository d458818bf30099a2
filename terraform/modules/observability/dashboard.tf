# One page: what is spent, what is to come, what is firing. The metrics are written by finops-monitor.

locals {
  alarm_arns = concat([for alarm in aws_cloudwatch_metric_alarm.service : alarm.arn], [for alarm in aws_cloudwatch_metric_alarm.requests : alarm.arn])

  panels = [
    { title = "Spend, month to date (USD)", metrics = ["spend_month_to_date_usd"], stat = "Maximum", x = 0, y = 0 },
    { title = "Forecast of the month (USD)", metrics = ["forecast_month_usd"], stat = "Maximum", x = 8, y = 0 },
    { title = "Alerts firing", metrics = ["alerts_firing"], stat = "Maximum", x = 16, y = 0 },
    { title = "Runs and their cost at Cost Explorer (USD)", metrics = ["runs", "cost_explorer_usd"], stat = "Sum", x = 0, y = 6 },
  ]
}

resource "aws_cloudwatch_dashboard" "spend" {
  count = var.dashboard ? 1 : 0

  dashboard_name = "${var.namespace}-finops-${var.environment}"
  dashboard_body = jsonencode({
    widgets = concat(
      [for panel in local.panels : {
        type   = "metric"
        x      = panel.x
        y      = panel.y
        width  = 8
        height = 6
        properties = {
          title   = panel.title
          region  = var.region
          view    = "timeSeries"
          stat    = panel.stat
          period  = 3600
          metrics = [for metric in panel.metrics : [var.metric_namespace, metric, "namespace", var.namespace, "environment", var.environment]]
        }
      }],
      # CloudWatch refuses a list of alarms without any.
      [for alarms in [local.alarm_arns] : {
        type   = "alarm"
        x      = 8
        y      = 6
        width  = 16
        height = 6
        properties = {
          title  = "Alarms"
          alarms = alarms
        }
      } if length(var.services) + length(var.load_balancers) > 0],
    )
  })
}
