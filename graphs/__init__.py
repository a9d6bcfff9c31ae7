"""The compiler: tracing an eager model, passes over the graph, emitting a target."""
