output "queue_urls" {
  description = "URLs of the queues by purpose (`workflows`, `rate_limiter`); empty when they are switched off."
  value       = { for key, queue in aws_sqs_queue.this : key => queue.url }
}

output "queue_arns" {
  description = "ARNs of the queues by purpose."
  value       = { for key, queue in aws_sqs_queue.this : key => local.queue_arns[key] }
}

output "dead_letter_queue_names" {
  description = "Names of the dead-letter queues by purpose, for alarms."
  value       = { for key, queue in aws_sqs_queue.dead_letter : key => queue.name }
}

output "table_names" {
  description = "Names of the tables by purpose (`ai_costs`, `cost_alerts`)."
  value       = { for key, table in aws_dynamodb_table.this : key => table.name }
}

output "table_arns" {
  description = "ARNs of the tables by purpose. They follow from the names, also when the tables are made elsewhere."
  value       = local.table_arns
}

output "topic_arn" {
  description = "ARN of the alert topic."
  value       = local.topic_arn

  # Whoever publishes or alarms to the topic waits until its policy lets them.
  depends_on = [aws_sns_topic_policy.alerts]
}
