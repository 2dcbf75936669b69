"""What a listening test asks: sounds and a study's file in, one trial after another out."""
