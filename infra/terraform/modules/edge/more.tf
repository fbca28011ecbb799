# What the template says by DeletionPolicy, or always, and what stands in the way of an end that is meant.

variable "protected" {
  description = "Whether the bucket of logs refuses to be deleted while there is something in it."
  type        = bool
  default     = true
}
