"""What `--model` and `--task` say, made a network and a task: of the zoo, a file, a library."""
