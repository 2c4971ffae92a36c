"""What is done to questions and answers by rule: changed, masked, checked, refused."""
