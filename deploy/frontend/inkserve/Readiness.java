package inkserve;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.pytorch.serve.util.ConfigManager;
import org.pytorch.serve.wlm.Model;
import org.pytorch.serve.wlm.ModelManager;
import org.pytorch.serve.wlm.ModelVersionedRefs;
import org.pytorch.serve.wlm.WorkerState;
import org.pytorch.serve.wlm.WorkerThread;

/** Whether each loaded version has a worker that takes requests, from TorchServe's own tables: no worker is asked. */
final class Readiness {
    private static final Set<String> NOT_LOADED = wanted();

    static {
        ModelManager.getInstance().getAllModels().stream()
                .flatMap(model -> model.getValue().getAllVersions().stream())
                .forEach(version -> NOT_LOADED.remove(version.getValue().getModelUrl()));
    }

    private final JsonArray versions = new JsonArray();
    private final List<String> reasons = new ArrayList<>();

    private Readiness() {}

    /** Called before the first request, which may unload a model: notes which archives were not loaded at the start. */
    static void noteStart() {} // the class is initialised

    static Readiness look() {
        Readiness found = new Readiness();
        if (Drain.isDraining()) {
            found.reasons.add("the server is ending");
        }
        NOT_LOADED.forEach(archive -> found.reasons.add(archive + " was not loaded; server.log has the reason"));
        Map<String, ModelVersionedRefs> models = new TreeMap<>();
        ModelManager.getInstance().getAllModels().forEach(each -> models.put(each.getKey(), each.getValue()));
        models.forEach(found::add);
        if (models.isEmpty()) {
            found.reasons.add("no model is loaded");
        }
        return found;
    }

    boolean isReady() {
        return reasons.isEmpty();
    }

    JsonObject document() {
        JsonObject document = new JsonObject();
        document.addProperty("ready", isReady());
        if (!isReady()) {
            document.addProperty("reason", String.join("; ", reasons));
        }
        document.add("versions", versions);
        return document;
    }

    private void add(String model, ModelVersionedRefs refs) {
        Model byDefault = refs.getDefaultModel();
        Map<String, Model> found = new TreeMap<>();
        refs.getAllVersions().forEach(each -> found.put(each.getKey(), each.getValue()));
        found.values().forEach(each -> add(model, each, each == byDefault));
    }

    private void add(String model, Model version, boolean isDefault) {
        List<WorkerThread> workers = ModelManager.getInstance().getWorkers(version.getModelVersionName());
        long ready = workers.stream().filter(Readiness::isReady).count();
        int wanted = Math.max(version.getMinWorkers(), workers.size());
        JsonObject state = new JsonObject();
        state.addProperty("model", model);
        state.addProperty("version", version.getVersion());
        state.addProperty("is_default", isDefault);
        state.addProperty("ready_workers", ready);
        state.addProperty("wanted_workers", wanted);
        state.addProperty("waiting", version.getPendingRequestsInJobQueue());
        versions.add(state);
        if (ready == 0) {
            String last = wanted == 0 ? "" : Ended.last(model, version.getVersion());
            reasons.add(String.format("%s %s has no ready worker of %d%s", model, version.getVersion(), wanted, last));
        }
    }

    private static boolean isReady(WorkerThread worker) {
        return worker.isRunning() && worker.getState() == WorkerState.WORKER_MODEL_LOADED;
    }

    /** TorchServe's setting load_models: archives, some as name=archive, or all of the model store. */
    private static Set<String> wanted() {
        ConfigManager config = ConfigManager.getInstance();
        String setting = config.getLoadModels() == null ? "" : config.getLoadModels();
        Set<String> names = new TreeSet<>();
        if (setting.equalsIgnoreCase("all")) {
            String[] found = new File(config.getModelStore()).list((folder, name) -> name.endsWith(".mar"));
            names.addAll(List.of(found == null ? new String[0] : found));
        } else {
            for (String each : setting.split(",")) {
                names.add(each.substring(each.indexOf('=') + 1));
            }
            names.remove("");
        }
        return names;
    }
}
