import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** A MongoDB-protocol server that keeps its data in one H2 file. Arguments: host, port, file. */
public class MongoServerMain {
    /** The library's own 5.0 reports wire version 8; today's drivers ask for more. */
    static class Version implements MongoVersion {
        public List<Integer> getVersionArray() { return List.of(5, 0, 0); }
        public int getWireVersion() { return 13; }
    }

    public static void main(String[] args) throws Exception {
        H2Backend backend = new H2Backend(args[2]);
        backend.version(new Version());
        // H2 writes about once a second by itself: too long a gap for tests that stop the server.
        Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "commit");
            thread.setDaemon(true);
            return thread;
        }).scheduleWithFixedDelay(() -> {
            try {
                backend.commit();
            } catch (RuntimeException e) {
                // An exception would end the schedule; the next round tries again.
                System.err.println("commit failed: " + e);
            }
        }, 100, 100, TimeUnit.MILLISECONDS);
        MongoServer server = new MongoServer(backend);
        try {
            server.bind(args[0], Integer.parseInt(args[1]));
        } catch (RuntimeException e) {
            // The network threads would keep a process alive that listens nowhere.
            System.err.println("cannot listen on " + args[0] + ":" + args[1] + ": " + e);
            System.exit(1);
        }
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        new CountDownLatch(1).await();
    }
}
