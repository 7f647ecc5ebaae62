package inkserve;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import sun.misc.Signal;

/** On SIGTERM: closes new connections, answers the requests that were read, for at most DRAIN_S, and exits. */
final class Drain {
    private static final long DRAIN_S = Long.getLong("inkserve.drain.s", 10);
    private static final long POLL_MS = 20;
    private static final long QUIET_MS = 200; // without a request, so that a request in transit still arrives
    private static final AtomicInteger IN_FLIGHT = new AtomicInteger();
    private static volatile boolean isDraining;

    private Drain() {}

    static void onTermination() {
        Signal.handle(new Signal("TERM"), signal -> new Thread(Drain::end, "drain").start());
    }

    static void begun() {
        IN_FLIGHT.incrementAndGet();
    }

    static void ended(int requests) {
        IN_FLIGHT.addAndGet(-requests);
    }

    static boolean isDraining() {
        return isDraining;
    }

    private static void end() {
        isDraining = true;
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(DRAIN_S);
        long quietSince = System.nanoTime();
        while (System.nanoTime() < deadline && System.nanoTime() - quietSince < TimeUnit.MILLISECONDS.toNanos(QUIET_MS)) {
            if (IN_FLIGHT.get() > 0) {
                quietSince = System.nanoTime();
            }
            try {
                Thread.sleep(POLL_MS);
            } catch (InterruptedException interrupted) {
                break;
            }
        }
        System.exit(0);
    }
}
