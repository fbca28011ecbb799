# What the template says by DeletionPolicy, which Terraform has no word for that can be turned off.

variable "protected" {
  description = "Whether the table refuses to be deleted, and buckets while there is something in them."
  type        = bool
  default     = true
}
