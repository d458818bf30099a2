output "bucket" {
  description = "Name of the bucket, for `bucket` in the S3 backend."
  value       = aws_s3_bucket.state.id
}

output "kms_key_arn" {
  description = "ARN of the key, for `kms_key_id` in the S3 backend."
  value       = aws_kms_key.state.arn
}
