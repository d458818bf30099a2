output "function_arn" {
  description = "ARN of the function."
  value       = local.function_arn
}

output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.monitor.function_name
}

output "role_arn" {
  description = "ARN of the function's role: what other accounts let in."
  value       = aws_iam_role.monitor.arn
}

output "secret_names" {
  description = "Full names of the secrets by short name. They are empty until someone puts the values in."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.name }
}

output "dead_letter_queue_name" {
  description = "Queue with the calls that the scheduler could not make."
  value       = aws_sqs_queue.dead_letter.name
}

output "alarm_names" {
  description = "Names of the alarms."
  value = concat(
    [for alarm in aws_cloudwatch_metric_alarm.counts : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.said : alarm.alarm_name],
    [aws_cloudwatch_metric_alarm.missed.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.dead_letters : alarm.alarm_name],
  )
}
