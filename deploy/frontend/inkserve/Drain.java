package inkserve;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import sun.misc.Signal;

/**
 * Ends the server in order on SIGTERM.
 *
 * <ol>
 *   <li>At once it is not ready, and each answer closes its connection, so that clients open new ones elsewhere. It goes on
 *       taking and answering requests for DELAY_S, in which balancers notice.
 *   <li>Then it closes new connections, answers the requests that were read, for at most DRAIN_S, and exits with 0.
 * </ol>
 */
final class Drain {
    private static final long DELAY_S = Setting.wholeNumber("DRAIN_DELAY_S", 0, 3600);
    private static final long DRAIN_S = Long.getLong("inkserve.drain.s", 10);
    private static final long POLL_MS = 20;
    private static final long QUIET_MS = 200; // without a request, so that a request in transit still arrives
    private static final AtomicInteger IN_FLIGHT = new AtomicInteger();
    private static volatile boolean isDraining;
    private static volatile boolean isClosed;

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

    /** Whether the server is ending. */
    static boolean isDraining() {
        return isDraining;
    }

    /** Whether it takes no new connections. */
    static boolean isClosed() {
        return isClosed;
    }

    private static void end() {
        if (isDraining) {
            return; // a second signal
        }
        isDraining = true;
        waitFor(DELAY_S, () -> false);
        isClosed = true;
        long[] quietSince = {System.nanoTime()};
        waitFor(DRAIN_S, () -> {
            if (IN_FLIGHT.get() > 0) {
                quietSince[0] = System.nanoTime();
            }
            return System.nanoTime() - quietSince[0] >= TimeUnit.MILLISECONDS.toNanos(QUIET_MS);
        });
        System.exit(0);
    }

    private static void waitFor(long seconds, BooleanSupplier isOver) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (System.nanoTime() < deadline && !isOver.getAsBoolean()) {
            try {
                Thread.sleep(POLL_MS);
            } catch (InterruptedException interrupted) {
                return;
            }
        }
    }
}
