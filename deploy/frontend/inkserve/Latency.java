package inkserve;

import io.prometheus.client.Gauge;
import io.prometheus.client.Histogram;
import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;
import org.pytorch.serve.archive.model.ModelVersionNotFoundException;
import org.pytorch.serve.job.Job;
import org.pytorch.serve.util.messages.InputParameter;
import org.pytorch.serve.util.messages.WorkerCommands;
import org.pytorch.serve.wlm.Model;
import org.pytorch.serve.wlm.ModelManager;

/** On TorchServe's metrics page: the time of each request as its client has it, its part in the queue, and what is in flight. */
public final class Latency {
    // Ten in a decade (the preferred numbers R10): a quantile between two bounds is wrong by less than a tenth
    private static final double[] BOUNDS_S = bounds();
    private static final long[] SIZES = {4 << 10, 64 << 10, 1 << 20};
    private static final String[] SIZE_NAMES = {"4KiB", "64KiB", "1MiB", "16MiB"};
    private static final String[] UNKNOWN = {"unknown", "unknown"}; // no names from the client: each makes new series

    private static final Histogram REQUEST = Histogram.build()
            .name("inkserve_request_seconds")
            .help("Time of a request from its last byte read to its answer written; size: of its body, at most")
            .labelNames("model", "version", "status", "size")
            .buckets(BOUNDS_S)
            .register();
    private static final Histogram QUEUE = Histogram.build()
            .name("inkserve_queue_seconds")
            .help("Time of a request in the queue of its model, until a worker takes its batch")
            .labelNames("model", "version")
            .buckets(BOUNDS_S)
            .register();
    private static final Gauge IN_FLIGHT = Gauge.build()
            .name("inkserve_requests_in_flight")
            .help("Requests of recognisers that were read and are not answered yet, those in a queue included")
            .register();

    private static final Gauge START = Gauge.build()
            .name("inkserve_start_time_seconds")
            .help("When this TorchServe was started, since the epoch")
            .register();

    private Latency() {}

    /** Puts these metrics on the page before the first request. */
    static void start() {
        START.set(ManagementFactory.getRuntimeMXBean().getStartTime() / 1000.0);
    }

    /** A request of the inference API was read. */
    static void begun() {
        IN_FLIGHT.inc();
    }

    /** It is over, answered or not. */
    static void ended() {
        IN_FLIGHT.dec();
    }

    /** Counts an answered request of the inference API. */
    static void answered(String model, String version, int status, long bytes, long nanoseconds) {
        String[] labels = labels(model, version);
        int size = 0;
        while (size < SIZES.length && bytes > SIZES[size]) {
            size++;
        }
        REQUEST.labels(labels[0], labels[1], Integer.toString(status), SIZE_NAMES[size]).observe(seconds(nanoseconds));
    }

    /** Counts a prediction that a worker has answered over gRPC, from its place in the queue on. */
    static void answered(Job job, int status) {
        long bytes = 0;
        for (InputParameter part : job.getPayload().getParameters()) {
            bytes += part.getValue().length;
        }
        answered(job.getModelName(), job.getModelVersion(), status, bytes, System.nanoTime() - job.getBegin());
    }

    /** Called at the end of Job.setScheduled. */
    public static void scheduled(Job job) {
        if (job.getCmd() == WorkerCommands.PREDICT) {
            QUEUE.labels(labels(job.getModelName(), job.getModelVersion()))
                    .observe(seconds(job.getScheduled() - job.getBegin()));
        }
    }

    /** Name and version of a loaded model; the default version where none is named. */
    private static String[] labels(String name, String version) {
        try {
            Model model = ModelManager.getInstance().getModel(name, version);
            return model == null ? UNKNOWN : new String[] {model.getModelName(), model.getVersion()};
        } catch (ModelVersionNotFoundException none) {
            return UNKNOWN;
        }
    }

    private static double seconds(long nanoseconds) {
        return nanoseconds / (double) TimeUnit.SECONDS.toNanos(1);
    }

    /** 0.5 ms to 31.5 s. */
    private static double[] bounds() {
        String[] digits = {"1", "1.25", "1.6", "2", "2.5", "3.15", "4", "5", "6.3", "8"};
        double[] found = new double[49];
        for (int i = 0; i < found.length; i++) {
            int place = i + 7; // the first is the eighth of the decade from 0.1 ms
            found[i] = Double.parseDouble(digits[place % digits.length] + "e" + (place / digits.length - 4));
        }
        return found;
    }
}
