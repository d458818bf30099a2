# One page: what is spent, what it comes to, what is firing. The finops metrics are those that finops-monitor writes to its log (embedded metric
# format); the account's estimated charges are AWS's own, which exist in us-east-1 once billing alerts are allowed in the account's preferences.

locals {
  alarm_arns = concat([for alarm in aws_cloudwatch_metric_alarm.service : alarm.arn], [for alarm in aws_cloudwatch_metric_alarm.requests : alarm.arn])

  charges = ["AWS/Billing", "EstimatedCharges", "Currency", "USD"]

  panels = [
    {
      title   = "Spend of the account, month to date (USD)"
      region  = "us-east-1"
      stat    = "Maximum"
      period  = 21600
      metrics = [concat(local.charges, [{ label = "estimated charges" }])]
    },
    {
      title  = "Forecast of the month at today's rate (USD)"
      region = "us-east-1"
      stat   = "Maximum"
      period = 21600
      metrics = [
        concat(local.charges, [{ id = "charges", visible = false }]),
        [{ expression = "charges / DAY(charges) * 30.4", label = "at today's rate", id = "forecast" }],
      ]
    },
    {
      title   = "Alerts firing, messages waiting and set aside"
      region  = var.region
      stat    = "Maximum"
      period  = 3600
      metrics = [for name in ["AlertsActive", "MessagesWaiting", "MessagesSetAside"] : [var.metric_namespace, name, "Environment", var.environment]]
    },
    {
      title   = "Runs, failed sources, paid requests, calls without a price"
      region  = var.region
      stat    = "Sum"
      period  = 3600
      metrics = [for name in ["RunsCompleted", "SourcesFailed", "PaidRequests", "CallsUnpriced"] : [var.metric_namespace, name, "Environment", var.environment]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "spend" {
  count = var.dashboard ? 1 : 0

  dashboard_name = "${var.namespace}-finops-${var.environment}"
  dashboard_body = jsonencode({
    widgets = concat(
      [for index, panel in local.panels : {
        type   = "metric"
        x      = (index % 2) * 12
        y      = floor(index / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = panel.title
          region  = panel.region
          view    = "timeSeries"
          stat    = panel.stat
          period  = panel.period
          metrics = panel.metrics
        }
      }],
      # CloudWatch refuses a list of alarms without any.
      [for alarms in [local.alarm_arns] : {
        type   = "alarm"
        x      = 0
        y      = 12
        width  = 24
        height = 3
        properties = {
          title  = "Alarms"
          alarms = alarms
        }
      } if length(var.services) + length(var.load_balancers) > 0],
    )
  })
}
