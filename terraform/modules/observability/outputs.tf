output "retention_days" {
  description = "Days that each log group is kept; 0 is for ever."
  value       = local.retention
}

output "collector_container" {
  description = "Container definition of the OpenTelemetry sidecar, for `container_definitions` of a task definition; null without one. The application sends OTLP to 127.0.0.1:4317 or :4318."
  value       = local.collector_container
}

output "alarm_names" {
  description = "Names of the alarms."
  value       = concat([for alarm in aws_cloudwatch_metric_alarm.service : alarm.alarm_name], [for alarm in aws_cloudwatch_metric_alarm.requests : alarm.alarm_name])
}

output "dashboard_name" {
  description = "Name of the dashboard; null without one."
  value       = one(aws_cloudwatch_dashboard.spend[*].dashboard_name)
}
