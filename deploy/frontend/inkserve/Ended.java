package inkserve;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.pytorch.serve.wlm.WorkerLifeCycle;
import org.slf4j.LoggerFactory;

/** How workers' processes ended: TorchServe says only that their stream was closed. */
public final class Ended {
    private static final int SIGNALLED = 128; // Java's exit codes for signals begin here
    private static final Map<String, String> LAST = new ConcurrentHashMap<>();

    private Ended() {}

    /** Called by the threads that read a worker's two streams, when it has started and when its stream has ended. */
    public static void note(WorkerLifeCycle worker, boolean isStarted) {
        String thread = Thread.currentThread().getName(); // W-9000-digits_1.0-stdout
        if (isStarted || !thread.endsWith("-stdout") || worker.getProcess() == null) {
            return;
        }
        String version = thread.replaceAll("^W-\\d+-|-stdout$", "");
        try {
            if (worker.getProcess().waitFor(1, TimeUnit.SECONDS)) {
                LAST.put(version, describe(worker.getProcess().exitValue()));
                LoggerFactory.getLogger(Ended.class).warn("{}: {}", thread, LAST.get(version));
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    /** How the last worker of a version ended, such as "; the last one ended with exit code 1", or "". */
    static String last(String model, String version) {
        String found = LAST.get(model + "_" + version);
        return found == null ? "" : "; the last one " + found;
    }

    private static String describe(int code) {
        return code > SIGNALLED ? "was ended by signal " + (code - SIGNALLED) : "ended with exit code " + code;
    }
}
