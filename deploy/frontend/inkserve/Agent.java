package inkserve;

import java.lang.instrument.Instrumentation;

/**
 * Extends TorchServe's front end, which is no longer developed and has no plugin point for what is added here.
 *
 * <p>This is a Java agent (java.lang.instrument). {@link Hooks} adds calls to TorchServe's classes when they are loaded;
 * the rest of this package is what they call. Netty, ASM, Gson and the Prometheus client are those in TorchServe's own jar.
 */
public final class Agent {
    private Agent() {}

    /** Called by Java before TorchServe's main. */
    public static void premain(String arguments, Instrumentation instrumentation) {
        instrumentation.addTransformer(new Hooks());
        Latency.start();
        Tokens.start();
        Cors.check();
        Scaling.check();
        Drain.onTermination();
    }
}
