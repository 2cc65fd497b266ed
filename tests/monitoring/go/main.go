// Which targets a Prometheus has of PodMonitors and ServiceMonitors: the configuration is made by the code of Prometheus'
// operator, and applied to objects by that of Prometheus.
//
//	targets config MONITORS                  the configuration of the scrapes
//	targets of MONITORS OBJECTS              the labels of each target, a JSON object each
//	targets by CONFIG MONITORS OBJECTS       the same of a configuration that is given
//
// MONITORS and OBJECTS are Kubernetes objects, one JSON after the other; StatefulSets and Deployments of either have one
// pod each.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	generator "github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"gopkg.in/yaml.v2"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	selection "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// objects are what is read of files, as far as it matters here.
type objects struct {
	pods            []core.Pod
	services        []core.Service
	podMonitors     map[string]*monitoring.PodMonitor
	serviceMonitors map[string]*monitoring.ServiceMonitor
}

// scrape is what is applied of a job.
type scrape struct {
	JobName   string `yaml:"job_name"`
	Discovery []struct {
		Role       string `yaml:"role"`
		Namespaces struct {
			Names []string `yaml:"names"`
		} `yaml:"namespaces"`
		Selectors []struct {
			Role  string `yaml:"role"`
			Label string `yaml:"label"`
		} `yaml:"selectors"`
	} `yaml:"kubernetes_sd_configs"`
	Relabel []*relabel.Config `yaml:"relabel_configs"`
}

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1:]); err != nil {
		log.Fatalf("error: %v", err)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "config":
		found, err := read(args[1])
		if err != nil {
			return err
		}
		config, err := generate(found)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(config)
		return err
	case len(args) == 3 && args[0] == "of":
		found, err := read(args[1], args[2])
		if err != nil {
			return err
		}
		config, err := generate(found)
		if err != nil {
			return err
		}
		return show(found, config)
	case len(args) == 4 && args[0] == "by":
		config, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		found, err := read(args[2], args[3])
		if err != nil {
			return err
		}
		return show(found, config)
	}
	return errors.New("usage: targets config MONITORS | of MONITORS OBJECTS | by CONFIG MONITORS OBJECTS")
}

func read(paths ...string) (objects, error) {
	found := objects{
		podMonitors:     map[string]*monitoring.PodMonitor{},
		serviceMonitors: map[string]*monitoring.ServiceMonitor{},
	}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return found, err
		}
		defer file.Close()
		for decoder := json.NewDecoder(file); ; {
			var object json.RawMessage
			if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return found, fmt.Errorf("%s: %w", path, err)
			}
			if err := found.add(object); err != nil {
				return found, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return found, nil
}

func (o *objects) add(object json.RawMessage) error {
	var typed meta.TypeMeta
	if err := json.Unmarshal(object, &typed); err != nil {
		return err
	}
	switch typed.Kind {
	case "PodMonitor":
		var monitor monitoring.PodMonitor
		if err := json.Unmarshal(object, &monitor); err != nil {
			return err
		}
		o.podMonitors[monitor.Namespace+"/"+monitor.Name] = &monitor
	case "ServiceMonitor":
		var monitor monitoring.ServiceMonitor
		if err := json.Unmarshal(object, &monitor); err != nil {
			return err
		}
		o.serviceMonitors[monitor.Namespace+"/"+monitor.Name] = &monitor
	case "Service":
		var service core.Service
		if err := json.Unmarshal(object, &service); err != nil {
			return err
		}
		o.services = append(o.services, service)
	case "StatefulSet":
		var set apps.StatefulSet
		if err := json.Unmarshal(object, &set); err != nil {
			return err
		}
		o.addPod(set.ObjectMeta, set.Spec.Template)
	case "Deployment":
		var deployment apps.Deployment
		if err := json.Unmarshal(object, &deployment); err != nil {
			return err
		}
		o.addPod(deployment.ObjectMeta, deployment.Spec.Template)
	}
	return nil
}

// addPod adds the first pod of a set, at the next address.
func (o *objects) addPod(owner meta.ObjectMeta, template core.PodTemplateSpec) {
	pod := core.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Name, pod.Namespace = owner.Name+"-0", owner.Namespace
	pod.Status.PodIP = fmt.Sprintf("10.0.0.%d", len(o.pods)+1)
	o.pods = append(o.pods, pod)
}

func generate(found objects) ([]byte, error) {
	prometheus := &monitoring.Prometheus{ObjectMeta: meta.ObjectMeta{Name: "prometheus", Namespace: "monitoring"}}
	prometheus.Spec.ScrapeInterval, prometheus.Spec.EvaluationInterval = "30s", "30s"
	config, err := generator.NewConfigGenerator(nil, prometheus)
	if err != nil {
		return nil, err
	}
	store := assets.NewTestStoreBuilder()
	text, err := config.GenerateServerConfiguration(
		prometheus, found.serviceMonitors, found.podMonitors, nil, nil, store, nil, nil, nil, nil)
	// What a sidecar of Prometheus fills in: this is the only one.
	return []byte(strings.NewReplacer("$(SHARD)", "0", "$(POD_NAME)", "prometheus-0").Replace(string(text))), err
}

func show(found objects, text []byte) error {
	var config struct {
		Scrapes []scrape `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	for _, scrape := range config.Scrapes {
		offered, err := candidates(found, scrape)
		if err != nil {
			return err
		}
		for _, candidate := range offered {
			kept, keep := relabel.Process(labels.FromMap(candidate), scrape.Relabel...)
			if !keep {
				continue
			}
			shown := kept.Map()
			shown["address"] = shown["__address__"]
			maps.DeleteFunc(shown, func(name, _ string) bool { return strings.HasPrefix(name, "__") })
			line, err := json.Marshal(shown)
			if err != nil {
				return err
			}
			fmt.Println(string(line))
		}
	}
	return nil
}

// candidates are what Prometheus' discovery offers to a job.
func candidates(found objects, scrape scrape) ([]map[string]string, error) {
	var all []map[string]string
	for _, discovery := range scrape.Discovery {
		isWatched := func(namespace string) bool {
			names := discovery.Namespaces.Names
			return len(names) == 0 || slices.Contains(names, namespace)
		}
		selector := selection.Everything()
		for _, asked := range discovery.Selectors {
			if asked.Role != discovery.Role || asked.Role != "pod" {
				return nil, fmt.Errorf("%s: selectors are known of pods alone", scrape.JobName)
			}
			var err error
			if selector, err = selection.Parse(asked.Label); err != nil {
				return nil, err
			}
		}
		for _, pod := range found.pods {
			if !isWatched(pod.Namespace) || !selector.Matches(selection.Set(pod.Labels)) {
				continue
			}
			switch discovery.Role {
			case "pod":
				all = append(all, ofPod(pod)...)
			case "endpoints":
				all = append(all, ofServices(pod, found.services)...)
			}
		}
	}
	for _, candidate := range all {
		candidate["job"] = scrape.JobName
	}
	return all, nil
}

// ofPod: a candidate for each port of each container.
func ofPod(pod core.Pod) []map[string]string {
	var all []map[string]string
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			number := strconv.Itoa(int(port.ContainerPort))
			candidate := common(pod)
			candidate["__address__"] = pod.Status.PodIP + ":" + number
			candidate["__meta_kubernetes_pod_container_name"] = container.Name
			candidate["__meta_kubernetes_pod_container_port_name"] = port.Name
			candidate["__meta_kubernetes_pod_container_port_number"] = number
			candidate["__meta_kubernetes_pod_container_port_protocol"] = string(port.Protocol)
			all = append(all, candidate)
		}
	}
	return all
}

// ofServices: a candidate for each port of each Service that selects the pod.
func ofServices(pod core.Pod, services []core.Service) []map[string]string {
	var all []map[string]string
	for _, service := range services {
		isSelected := service.Namespace == pod.Namespace && len(service.Spec.Selector) > 0
		for name, value := range service.Spec.Selector {
			isSelected = isSelected && pod.Labels[name] == value
		}
		if !isSelected {
			continue
		}
		for _, port := range service.Spec.Ports {
			candidate := common(pod)
			candidate["__address__"] = pod.Status.PodIP + ":" + portOf(pod, port.TargetPort)
			candidate["__meta_kubernetes_endpoint_port_name"] = port.Name
			candidate["__meta_kubernetes_endpoints_name"] = service.Name
			candidate["__meta_kubernetes_endpoint_address_target_kind"] = "Pod"
			candidate["__meta_kubernetes_endpoint_address_target_name"] = pod.Name
			candidate["__meta_kubernetes_service_name"] = service.Name
			add(candidate, "__meta_kubernetes_service_label", service.Labels)
			all = append(all, candidate)
		}
	}
	return all
}

func portOf(pod core.Pod, target intstr.IntOrString) string {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == target.StrVal {
				return strconv.Itoa(int(port.ContainerPort))
			}
		}
	}
	return target.String()
}

func common(pod core.Pod) map[string]string {
	candidate := map[string]string{
		"__meta_kubernetes_namespace": pod.Namespace,
		"__meta_kubernetes_pod_name":  pod.Name,
		"__meta_kubernetes_pod_ip":    pod.Status.PodIP,
		"__meta_kubernetes_pod_phase": "Running",
	}
	add(candidate, "__meta_kubernetes_pod_label", pod.Labels)
	return candidate
}

var noLabel = regexp.MustCompile(`[^a-zA-Z0-9_]`)

func add(candidate map[string]string, prefix string, labels map[string]string) {
	for name, value := range labels {
		name = noLabel.ReplaceAllString(name, "_")
		candidate[prefix+"_"+name] = value
		candidate[prefix+"present_"+name] = "true"
	}
}
