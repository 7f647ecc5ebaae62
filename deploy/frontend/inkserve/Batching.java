package inkserve;

import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;
import org.pytorch.serve.job.Job;
import org.pytorch.serve.wlm.Model;

/**
 * The batch delay, for those who are not alone. TorchServe waits for all of it after each first request, so that a lone
 * client waits for others who do not come, for half of the time that its answer takes.
 */
public final class Batching {
    private static final Map<Model, Integer> LAST = Collections.synchronizedMap(new WeakHashMap<>()); // requests

    private Batching() {}

    /** The batch delay in ms: none after a batch of a single request. */
    public static int delayMs(Model version) {
        return LAST.getOrDefault(version, 1) > 1 ? version.getMaxBatchDelay() : 0;
    }

    /** Called when a worker has taken a batch. */
    public static void taken(Model version, Map<String, Job> batch) {
        LAST.put(version, batch.size());
    }
}
