output "topic_arn" {
  description = "Topic of the alerts."
  value       = module.finops.topic_arn
}

output "table_names" {
  description = "Tables of the ledger."
  value       = module.finops.table_names
}
