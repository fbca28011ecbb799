"""What our mails say: each is made here, whoever carries it."""
