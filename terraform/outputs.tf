output "kms_key_arn" {
  description = "Key that everything is encrypted with."
  value       = local.kms_key_arn
}

output "topic_arn" {
  description = "Topic of the alerts."
  value       = module.orchestrator.topic_arn
}

output "table_names" {
  description = "Tables of the ledger by purpose."
  value       = module.orchestrator.table_names
}

output "queue_urls" {
  description = "Queues by purpose."
  value       = module.orchestrator.queue_urls
}

output "monitor" {
  description = "Function, role, secrets and alarms of the scheduled job; null without it."
  value       = one(module.monitor[*])
}

output "rate_limiter" {
  description = "Function, address and security group of the rate limiter; null without it."
  value       = one(module.rate_limiter[*])
}

output "security" {
  description = "Redis, audit bucket, detector, parameter group and task roles; null without the module."
  value       = one(module.security[*])
}

output "observability" {
  description = "Retention, alarms, dashboard and the collector's container definition; null without the module."
  value       = one(module.observability[*])
}

output "scaling" {
  description = "Scaled services; null without the module."
  value       = one(module.scaling[*])
}

output "network" {
  description = "Endpoints and the break-even of interface endpoints; null without the module."
  value       = one(module.network[*])
}

output "storage" {
  description = "Buckets and their rules; null without the module."
  value       = one(module.storage[*])
}
