output "retention_days" {
  description = "Days that each adopted log group is kept."
  value       = module.finops.observability.retention_days
}
