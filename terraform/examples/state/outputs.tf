output "backend" {
  description = "What to put into the `backend \"s3\"` block, or into a file for `terraform init -backend-config=FILE`."
  value       = <<-EOT
    bucket     = "${module.state.bucket}"
    region     = "${var.region}"
    kms_key_id = "${module.state.kms_key_arn}"
  EOT
}
