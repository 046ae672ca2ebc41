import gc, objgraph
def test_leak(make_napari_viewer_proxy, qtbot, tmp_path, monkeypatch):
    from napari._qt.qt_viewer import QtViewer
    monkeypatch.setenv("NAPARI_NSTM_RUNS", str(tmp_path/"runs"))
    viewer = make_napari_viewer_proxy(show=True)
    _, panel = viewer.window.add_plugin_dock_widget("napari-nstm", "Reconstruct a moving sample")
    panel.shutdown()
    viewer.close()
    del panel, viewer, _
    gc.collect()
    from napari_nstm._qt.panel import ReconstructPanel
    found=[o for o in gc.get_objects() if isinstance(o, ReconstructPanel)]
    print("panels", len(found))
    if found:
        chain=objgraph.find_backref_chain(found[0], objgraph.is_proper_module, max_depth=30)
        for o in chain: print("  ", type(o), str(o)[:150].replace("\n"," "))
        print([ (type(r), str(r)[:200]) for r in gc.get_referrers(found[0])])
