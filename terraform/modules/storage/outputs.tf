output "archived_buckets" {
  description = "Buckets whose untouched objects move to the archive tiers."
  value       = sort(keys(local.archived))
}

output "rule_ids" {
  description = "Ids of the lifecycle rules of each bucket, ours last."
  value       = { for name, configuration in aws_s3_bucket_lifecycle_configuration.this : name => configuration.rule[*].id }
}
